//! Joins the modules of the page into two: what is needed to read and to type, which is main.js and all that it
//! imports, and what is asked for afterwards, which is all the rest. Then makes them small. A file for each module
//! would be packed half as well, and asked for one by one.
//!
//! Joined modules share one scope. So each name at the top of a module gets the module's path before it, and the
//! order is the one in which a browser would have run them. Modules export what they declare, by its own name; a module
//! that is asked for afterwards is asked for with `import("…")`, and its exports are those of the second file.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use oxc::allocator::{Allocator, GetAllocator, Vec as ArenaVec};
use oxc::ast::ast::{Expression, ImportDeclarationSpecifier, ImportExpression, Program, Statement};
use oxc::ast::builder::AstBuilder;
use oxc::ast_visit::{VisitMut, walk_mut};
use oxc::codegen::{Codegen, CodegenOptions};
use oxc::minifier::{Minifier, MinifierOptions};
use oxc::parser::{Parser, ParserReturn};
use oxc::semantic::{Scoping, SemanticBuilder, SymbolId};
use oxc::span::{SPAN, SourceType};
use oxc::syntax::module_record::ExportExportName;

use crate::{Files, Result};

/// No modules, and each for itself: what runs before them, and what watches whether they load.
const CLASSIC: [&str; 2] = ["theme.js", "watch.js"];

/// The module that the page begins with, and the name of what it imports with it.
const MAIN: &str = "main.js";

/// The name of all the rest.
const LATER: &str = "later.js";

/// The letters in the order in which names are made of them to be small: a name for the way that is already the one at
/// its end needs no second.
const LETTERS: &str = "etnriaoscludfpmhg_vybxSCwTEDOkAjMNPFILRzBVHUWGKqJYXZQ";

/// A module, ready to stand among others.
struct Module {
    /// Its text without imports and exports, with names that no other module has.
    code: String,
    /// What it imports, in order.
    imports: Vec<String>,
    /// What it uses of that: path and name.
    uses: BTreeSet<(String, String)>,
    /// What it asks for afterwards.
    later: Vec<String>,
    exports: BTreeSet<String>,
}

type Modules = BTreeMap<String, Module>;

/// Gives the scripts that the page loads, of all in static/js.
pub(crate) fn join(sources: &Files) -> Result<Files> {
    let (classic, modules): (Vec<_>, Vec<_>) = sources.iter().partition(|(path, _)| CLASSIC.contains(&path.as_str()));
    let modules = modules.into_iter().map(|(path, text)| Ok((path.clone(), read(path, text)?)));
    let modules = modules.collect::<Result<Modules>>()?;
    let mut main = Vec::new();
    put_in_order(MAIN, &modules, &mut main)?;
    let mut all = main.clone();
    let mut at = 0;
    while at < all.len() {
        for path in &modules[&all[at]].later {
            put_in_order(path, &modules, &mut all)?;
        }
        at += 1;
    }
    if let Some(path) = modules.keys().find(|path| !all.contains(path)) {
        return Err(format!("static/js/{path}: nothing loads it").into());
    }
    let later = all.split_off(main.len());
    check_names(&modules)?;
    let shared = shared(&modules, &main, &later);
    let mut joined = Files::new();
    joined.insert(MAIN.to_owned(), small(MAIN, &main_of(&modules, &main, &shared), SourceType::mjs())?);
    joined.insert(LATER.to_owned(), small(LATER, &later_of(&modules, &later, &shared)?, SourceType::mjs())?);
    for (path, text) in classic {
        joined.insert(path.clone(), small(path, text, SourceType::script())?);
    }
    Ok(joined)
}

/// Adds a module to `order`, after those that it needs.
fn put_in_order(path: &str, modules: &Modules, order: &mut Vec<String>) -> Result<()> {
    fn visit(path: &str, modules: &Modules, seen: &mut BTreeSet<String>, order: &mut Vec<String>) -> Result<()> {
        if order.iter().any(|one| one == path) || !seen.insert(path.to_owned()) {
            return Ok(());
        }
        let module = modules.get(path).ok_or_else(|| format!("static/js/{path} is imported and not there"))?;
        for import in &module.imports {
            visit(import, modules, seen, order)?;
        }
        order.push(path.to_owned());
        Ok(())
    }
    visit(path, modules, &mut BTreeSet::new(), order)
}

/// Whether what modules take from each other is there: nothing else would tell before the page runs.
fn check_names(modules: &Modules) -> Result<()> {
    for (path, module) in modules {
        if let Some((from, name)) = module.uses.iter().find(|(from, name)| !modules[from].exports.contains(name)) {
            return Err(format!("static/js/{path}: {from} exports no {name}").into());
        }
    }
    Ok(())
}

/// What the second file takes from the first: its name there, and a short one for the way.
fn shared(modules: &Modules, main: &[String], later: &[String]) -> Vec<(String, String)> {
    let uses = later.iter().flat_map(|path| &modules[path].uses).filter(|(from, _)| main.contains(from));
    let names: BTreeSet<String> = uses.map(|(from, name)| full_name(from, name)).collect();
    let letters: Vec<char> = LETTERS.chars().collect();
    let short = |number: usize| match number / letters.len() {
        0 => letters[number].to_string(),
        round => format!("{}{round}", letters[number % letters.len()]),
    };
    names.into_iter().enumerate().map(|(number, name)| (name, short(number))).collect()
}

fn main_of(modules: &Modules, main: &[String], shared: &[(String, String)]) -> String {
    let code: String = main.iter().map(|path| modules[path].code.as_str()).collect();
    let exports: Vec<String> = shared.iter().map(|(name, short)| format!("{name} as {short}")).collect();
    format!("{code}\nexport {{ {} }};\n", exports.join(", "))
}

fn later_of(modules: &Modules, later: &[String], shared: &[(String, String)]) -> Result<String> {
    let imports: Vec<String> = shared.iter().map(|(name, short)| format!("{short} as {name}")).collect();
    let code: String = later.iter().map(|path| modules[path].code.as_str()).collect();
    let asked: BTreeSet<&String> = modules.values().flat_map(|module| &module.later).collect();
    let mut exports = BTreeMap::new();
    for path in asked {
        for name in &modules[path].exports {
            if exports.insert(name, full_name(path, name)).is_some() {
                return Err(format!("static/js/{path}: another one that is asked for afterwards exports {name}").into());
            }
        }
    }
    let exports: Vec<String> = exports.iter().map(|(name, full)| format!("{full} as {name}")).collect();
    let imports = imports.join(", ");
    Ok(format!("import {{ {imports} }} from \"./{MAIN}\";\n{code}\nexport {{ {} }};\n", exports.join(", ")))
}

/// The name that what a module calls `name` has among all modules.
fn full_name(path: &str, name: &str) -> String {
    format!("{}${name}", path.trim_end_matches(".js").replace('/', "$"))
}

/// The path of what `from` calls `specifier`.
fn resolve(from: &str, specifier: &str) -> String {
    let mut steps: Vec<&str> = from.split('/').collect();
    steps.pop();
    for step in specifier.split('/') {
        match step {
            "." => {}
            ".." => drop(steps.pop()),
            name => steps.push(name),
        }
    }
    steps.join("/")
}

fn parse<'a>(arena: &'a Allocator, path: &str, text: &'a str, kind: SourceType) -> Result<ParserReturn<'a>> {
    let parsed = Parser::new(arena, text, kind).parse();
    match parsed.diagnostics.first() {
        Some(error) => Err(format!("static/js/{path}: {error}").into()),
        None => Ok(parsed),
    }
}

/// Takes a module apart.
fn read(path: &str, text: &str) -> Result<Module> {
    let arena = Allocator::default();
    let ParserReturn { mut program, module_record, .. } = parse(&arena, path, text, SourceType::mjs())?;
    let complain = |why: &str| format!("static/js/{path}: {why}");
    if !module_record.import_metas.is_empty() && path.contains('/') {
        return Err(complain("import.meta is that of the joined file, which stands in static/js itself").into());
    }
    let mut exports = BTreeSet::new();
    for export in &module_record.local_export_entries {
        let ExportExportName::Name(name) = &export.export_name else { return Err(complain("a default export").into()) };
        exports.insert(name.name.to_string());
    }
    let mut scoping = SemanticBuilder::new().build(&program).semantic.into_scoping();
    let own: Vec<SymbolId> = scoping.get_bindings(scoping.root_scope_id()).values().copied().collect();
    for symbol in own {
        let name = full_name(path, scoping.symbol_name(symbol));
        scoping.set_symbol_name(symbol, name.as_str().into());
    }
    let mut module =
        Module { code: String::new(), imports: Vec::new(), uses: BTreeSet::new(), later: Vec::new(), exports };
    let whole = take_apart(path, &arena, &mut program, &mut scoping, &mut module)?;
    let mut links = Links { path, scoping: &scoping, whole, builder: AstBuilder::new(&arena), module: &mut module };
    links.visit_program(&mut program);
    if links.whole.values().any(|(_, left)| *left != 0) {
        return Err(complain("a module as a whole is only for taking something of it").into());
    }
    module.code = Codegen::new().with_scoping(Some(scoping)).build(&program).code.to_string();
    Ok(module)
}

/// Modules that are imported as a whole: by the name they have here, their path and how often they are named.
type Whole = HashMap<SymbolId, (String, usize)>;

/// Takes imports and exports out of a module's program.
fn take_apart<'a>(
    path: &str,
    arena: &'a Allocator,
    program: &mut Program<'a>,
    scoping: &mut Scoping,
    module: &mut Module,
) -> Result<Whole> {
    let mut whole = Whole::new();
    let body = std::mem::replace(&mut program.body, ArenaVec::new_in(&arena));
    for statement in body {
        match statement {
            Statement::ExportDeclaration(export) => program.body.push(Statement::from(export.unbox().declaration)),
            Statement::ImportDeclaration(import) => {
                let from = resolve(path, &import.source.value);
                for specifier in import.specifiers.iter().flatten() {
                    let symbol = specifier.local().symbol_id();
                    match specifier {
                        ImportDeclarationSpecifier::ImportSpecifier(one) => {
                            let name = one.imported.name().to_string();
                            scoping.set_symbol_name(symbol, full_name(&from, &name).as_str().into());
                            module.uses.insert((from.clone(), name));
                        }
                        ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => {
                            let named = scoping.get_resolved_reference_ids(symbol).len();
                            whole.insert(symbol, (from.clone(), named));
                        }
                        ImportDeclarationSpecifier::ImportDefaultSpecifier(_) => {
                            return Err(format!("static/js/{path}: a default import").into());
                        }
                    }
                }
                module.imports.push(from);
            }
            Statement::ExportNamedDeclaration(_)
            | Statement::ExportFromDeclaration(_)
            | Statement::ExportAllDeclaration(_)
            | Statement::ExportDefaultDeclaration(_) => {
                return Err(format!("static/js/{path}: a module exports what it declares").into());
            }
            other => program.body.push(other),
        }
    }
    Ok(whole)
}

/// Makes names of other modules those of the joined file.
struct Links<'a, 'm> {
    path: &'m str,
    scoping: &'m Scoping,
    whole: Whole,
    builder: AstBuilder<'a>,
    module: &'m mut Module,
}

impl<'a> VisitMut<'a> for Links<'a, '_> {
    /// `State.create` becomes the name of `create` among all modules.
    fn visit_expression(&mut self, expression: &mut Expression<'a>) {
        if let Expression::StaticMemberExpression(member) = expression
            && let Expression::Identifier(object) = &member.object
            && let Some(symbol) = self.scoping.get_reference(object.reference_id()).symbol_id()
            && let Some((from, left)) = self.whole.get_mut(&symbol)
        {
            *left -= 1;
            let name = member.property.name.to_string();
            let full = self.builder.allocator().alloc_str(&full_name(from, &name));
            self.module.uses.insert((from.clone(), name));
            *expression = Expression::new_identifier(SPAN, full, &self.builder);
            return;
        }
        walk_mut::walk_expression(self, expression);
    }

    /// Whatever is asked for afterwards is in the second file.
    fn visit_import_expression(&mut self, import: &mut ImportExpression<'a>) {
        if let Expression::StringLiteral(source) = &mut import.source {
            self.module.later.push(resolve(self.path, &source.value));
            source.value = "./later.js".into();
            source.raw = None;
        }
    }
}

/// The same program, in as few bytes as it takes.
fn small(path: &str, text: &str, kind: SourceType) -> Result<String> {
    let arena = Allocator::default();
    let mut program = parse(&arena, path, text, kind)?.program;
    let made = Minifier::new(MinifierOptions::default()).minify(&arena, &mut program);
    let printer = Codegen::new().with_options(CodegenOptions::minify()).with_scoping(made.scoping);
    let printed = printer.with_private_member_mappings(made.class_private_mappings).build(&program);
    Ok(printed.code.to_string())
}

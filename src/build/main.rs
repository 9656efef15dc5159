//! Makes of static/ what the page loads: little, in few files, out of much that can be read. Whatever this does not
//! understand stops the build.

mod scripts;
mod styles;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Files by their path with slashes, below static/ or below one of its folders.
type Files = BTreeMap<String, String>;

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=static");
    let sources = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("static");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut parts = read_below(&sources, &sources, Files::new())?;
    let made = [
        ("js/", scripts::join(&take_below("js/", &mut parts))?),
        ("css/", styles::join(&take_below("css/", &mut parts))?),
    ];
    for (folder, files) in made {
        parts.extend(files.into_iter().map(|(path, text)| (format!("{folder}{path}"), text)));
    }
    write(&parts, &out)
}

fn read_below(top: &Path, folder: &Path, mut files: Files) -> Result<Files> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files = read_below(top, &path, files)?;
            continue;
        }
        let name = path.strip_prefix(top)?.to_str().ok_or("a name that is no text")?.replace('\\', "/");
        files.insert(name, fs::read_to_string(&path)?);
    }
    Ok(files)
}

/// Takes out of `files` what is in this folder, by its path there.
fn take_below(folder: &str, files: &mut Files) -> Files {
    let taken = files.extract_if(.., |path, _| path.starts_with(folder));
    taken.map(|(path, text)| (path[folder.len()..].to_owned(), text)).collect()
}

/// Writes the parts, and the list of them that the program includes: the path, the content and the same packed with gzip.
fn write(parts: &Files, out: &Path) -> Result<()> {
    let folder = out.join("static");
    let mut list = String::from("&[\n");
    for (path, text) in parts {
        let file = folder.join(path);
        fs::create_dir_all(file.parent().ok_or("a part has a folder")?)?;
        fs::write(&file, text)?;
        let packed = folder.join(format!("{path}.gz"));
        zopfli::compress(
            zopfli::Options::default(),
            zopfli::Format::Gzip,
            text.as_bytes(),
            fs::File::create(&packed)?,
        )?;
        let [file, packed] = [file, packed].map(|path| path.display().to_string());
        writeln!(list, "    ({path:?}, include_bytes!({file:?}), include_bytes!({packed:?})),")?;
    }
    fs::write(out.join("parts.rs"), list + "]\n")?;
    Ok(())
}

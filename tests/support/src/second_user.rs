//! A second user of the machine, as which a test runs programs.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

use crate::lab::Lab;
use crate::node::PROGRAM;
use crate::{Result, ensure};

/// The user that owns nothing.
pub const NOBODY: &str = "65534";

/// The command before a program that runs it as that user.
pub const AS_NOBODY: [&str; 6] = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];

/// Returns true if this user can become a second one. In CI it must be able to; elsewhere the test
/// says that it did not run.
pub fn has_second_user() -> Result<bool> {
    let can_become = Command::new(AS_NOBODY[0]).args(&AS_NOBODY[1..]).arg("true").status()?.success();
    if !can_become {
        ensure!(std::env::var_os("CI").is_none(), "no second user can be had here, which CI must have");
        println!("NOT TESTED: another user, since this one cannot become another");
    }
    Ok(can_become)
}

/// Makes a copy of the program and a data directory for the second user in the lab.
pub fn home_of_nobody(lab: &Lab) -> Result<(PathBuf, PathBuf)> {
    let theirs = lab.dir().join("theirs");
    std::fs::create_dir(&theirs)?;
    for directory in [lab.dir(), &theirs] {
        std::fs::set_permissions(directory, PermissionsExt::from_mode(0o755))?;
    }
    let program = theirs.join("roomful");
    std::fs::copy(&*PROGRAM, &program)?;
    let data_dir = theirs.join("data");
    std::fs::create_dir(&data_dir)?;
    let id: u32 = NOBODY.parse()?;
    chown(&data_dir, Some(id), Some(id))?;
    Ok((program, data_dir))
}

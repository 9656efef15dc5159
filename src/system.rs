//! The operating system: the limit of file descriptors, and error texts for users.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The greatest number of open files on macOS, whatever its hard limit says.
const MACOS_OPEN_MAX: u64 = 10_240;

/// Raises the limit of file descriptors as far as this process may, and returns it. `None`: no
/// limit.
///
/// The usual soft limit of 1,024 exists for programs that use `select`.
pub fn raise_descriptor_limit() -> Option<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    for current in [maximum, Some(MACOS_OPEN_MAX)] {
        let is_lower = getrlimit(Resource::Nofile).current.is_some_and(|now| current.is_none_or(|wanted| now < wanted));
        if is_lower && setrlimit(Resource::Nofile, Rlimit { current, maximum }).is_ok() {
            break;
        }
    }
    descriptor_limit()
}

/// Returns the limit of file descriptors. `None`: no limit.
pub fn descriptor_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Returns the system's error text without its number, which does not help a user.
pub fn io_error_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_raised_to_the_hard_limit() {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        // No lower than other tests of this process need.
        let lower = current.map_or(4_096, |current| current - 1);
        setrlimit(Resource::Nofile, Rlimit { current: Some(lower), maximum }).expect("lower is allowed");
        let raised = raise_descriptor_limit();
        assert!(raised.is_none_or(|raised| raised > lower) || maximum == Some(lower), "{raised:?} of {maximum:?}");
        assert_eq!(raised, descriptor_limit());
    }

    #[test]
    fn error_text_loses_its_number() {
        let refused = io::Error::from_raw_os_error(rustix::io::Errno::CONNREFUSED.raw_os_error());
        assert!(refused.to_string().contains("os error"), "{refused}");
        assert_eq!(io_error_text(&refused), "Connection refused");
        assert_eq!(io_error_text(&io::Error::other("the name has no address")), "the name has no address");
    }
}

//! The operating system's own words, as a person is told them.

use std::io;

/// What the system said, without its number, which tells nobody anything.
pub fn said(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_and_the_number_goes() {
        let refused = io::Error::from_raw_os_error(rustix::io::Errno::CONNREFUSED.raw_os_error());
        assert!(refused.to_string().contains("os error"), "{refused}");
        assert_eq!(said(&refused), "Connection refused");
        assert_eq!(said(&io::Error::other("the name has no address")), "the name has no address");
    }
}

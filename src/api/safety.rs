//! The form of safety words.

use qrcodegen::{QrCode, QrCodeEcc};
use serde::{Deserialize, Serialize};

use crate::proto::members::safety;

/// `GET /api/v1/members/ID/safety`: the code that two users compare. An addition to the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SafetyJson {
    /// 12 words, equal on both sides.
    pub words: Vec<String>,
    /// The hash whose beginning the words encode.
    pub hex: String,
    /// The hash in capitals as a QR code: rows of `1` for dark and `0` for light, without the quiet
    /// zone.
    pub qr: Vec<String>,
}

impl From<&safety::SafetyCode> for SafetyJson {
    fn from(safety: &safety::SafetyCode) -> Self {
        let hex = safety.hash.to_string();
        Self { words: safety.words.iter().map(|word| (*word).to_owned()).collect(), qr: qr(&hex), hex }
    }
}

fn qr(hex: &str) -> Vec<String> {
    // Digits and capitals alone keep the code small enough for any camera.
    let code = QrCode::encode_text(&hex.to_ascii_uppercase(), QrCodeEcc::Medium).expect("64 characters fit");
    let row = |y| (0..code.size()).map(|x| if code.get_module(x, y) { '1' } else { '0' }).collect();
    (0..code.size()).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ids::NodeId;

    #[test]
    fn the_code_is_a_square_with_its_three_corners() {
        let SafetyJson { qr, hex, .. } = SafetyJson::from(&safety::SafetyCode::of(NodeId([1; 32]), NodeId([2; 32])));
        assert_eq!((hex.len(), qr.len()), (64, 33), "version 4");
        assert!(qr.iter().all(|row| row.len() == qr.len()));
        for row in [&qr[0], &qr[6]] {
            assert!(row.starts_with("11111110") && row.ends_with("01111111"), "{row}");
        }
        assert!(qr[26].starts_with("11111110") && qr[32].starts_with("11111110"));
    }
}

//! A frame as hexadecimal text.

use std::io::{self, Read as _};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::Input;

/// The frame that `text` is, or that standard input has when it is `-`.
pub(super) fn read(text: &str) -> Result<Input> {
    let bytes = if text == "-" {
        let text =
            io::read_to_string(io::stdin().lock().take(u64::from(u32::MAX))).context("cannot read standard input")?;
        octets(&text)?
    } else {
        octets(text)?
    };
    Ok(Input { length: bytes.len(), bytes, time: Duration::ZERO })
}

/// Pairs of digits; white space and colons may stand between them, not inside.
fn octets(text: &str) -> Result<Vec<u8>> {
    let mut octets = Vec::new();
    let mut high: Option<u32> = None;
    for (position, character) in text.chars().enumerate() {
        let digit = character.to_digit(16);
        high = match (high, digit) {
            (None, Some(digit)) => Some(digit),
            (Some(high), Some(digit)) => {
                octets.push(u8::try_from(high << 4 | digit)?);
                None
            }
            (None, None) if character.is_whitespace() || character == ':' => None,
            _ => bail!(
                "--hex: no octet at character {} ({character:?}); write two digits for each octet, like 33:33:00:00:00:01",
                position + 1
            ),
        };
    }
    if high.is_some() {
        bail!("--hex: ends within an octet; write two digits for each octet");
    }
    if octets.is_empty() {
        bail!("--hex: no octets; write a frame from its destination MAC on");
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_stand_between_octets() {
        for text in ["3333ff00", "33 33 ff 00", "33:33:FF:00", "3333 ff00\n", "\t33\n33\r\nff: 00"] {
            assert_eq!(octets(text).unwrap(), [0x33, 0x33, 0xff, 0], "{text:?}");
        }
    }

    #[test]
    fn what_is_no_hexadecimal() {
        for (text, message) in [
            ("33 3g", "--hex: no octet at character 5 ('g'); write two digits for each octet, like 33:33:00:00:00:01"),
            ("3 3", "--hex: no octet at character 2 (' '); write two digits for each octet, like 33:33:00:00:00:01"),
            ("0x33", "--hex: no octet at character 2 ('x'); write two digits for each octet, like 33:33:00:00:00:01"),
            ("333", "--hex: ends within an octet; write two digits for each octet"),
            ("", "--hex: no octets; write a frame from its destination MAC on"),
            (" : ", "--hex: no octets; write a frame from its destination MAC on"),
        ] {
            assert_eq!(octets(text).unwrap_err().to_string(), message, "{text:?}");
        }
    }
}

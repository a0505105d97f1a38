//! Whether a question is signed as CloudStack wants it: its parameters sorted, encoded anew as Java does, in lower case, and their
//! HMAC with SHA-1.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use super::{API_KEY, SECRET_KEY};

/// A question.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its parameters, as they came.
    pub parameters: Vec<(String, String)>,
    /// Why it is not answered.
    pub refusal: Option<Refusal>,
}

/// Why a question is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody has this key.
    ApiKey,
    /// Not signed with the secret key.
    Signature,
    /// It was good until before now, or is for longer than a quarter of an hour.
    Expires,
}

impl Asked {
    /// A parameter, however its name is written.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// What is asked.
    pub fn command(&self) -> &str {
        self.get("command").unwrap_or_default()
    }

    /// What its answer is under.
    pub(super) fn response(&self) -> String {
        format!("{}response", self.command().to_lowercase())
    }
}

pub(super) fn read(written: &str) -> Asked {
    let pairs = written.split('&').filter_map(|pair| pair.split_once('='));
    let parameters: Vec<_> = pairs.map(|(name, value)| (decode(name), decode(value))).collect();
    let mut asked = Asked { parameters, refusal: None };
    asked.refusal = refusal(&asked);
    asked
}

fn refusal(asked: &Asked) -> Option<Refusal> {
    if asked.get("apikey") != Some(API_KEY) {
        return Some(Refusal::ApiKey);
    }
    let mut signed: Vec<_> =
        asked.parameters.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("signature")).collect();
    signed.sort();
    let text = signed.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&");
    let mut mac = Hmac::<Sha1>::new_from_slice(SECRET_KEY.as_bytes()).expect("a key of any length");
    mac.update(text.to_lowercase().as_bytes());
    if asked.get("signature") != Some(STANDARD.encode(mac.finalize().into_bytes()).as_str()) {
        return Some(Refusal::Signature);
    }
    if asked.get("signatureversion") == Some("3") {
        let expires = asked.get("expires").unwrap_or_default().replace("+0000", "Z");
        let left = humantime::parse_rfc3339(&expires).ok().and_then(|at| at.duration_since(SystemTime::now()).ok());
        if left.is_none_or(|left| left.as_secs() > 15 * 60) {
            return Some(Refusal::Expires);
        }
    }
    None
}

/// As Java's `URLEncoder`, with `%20` for its plus.
fn encode(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'.' | b'-' | b'*' | b'_' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut parts = text.split('%');
    let plain = |part: &str| part.replace('+', " ").into_bytes();
    bytes.extend(plain(parts.next().unwrap_or_default()));
    for part in parts {
        let (code, rest) = part.split_at_checked(2).expect("two digits after each %");
        bytes.push(u8::from_str_radix(code, 16).expect("hexadecimal digits"));
        bytes.extend(plain(rest));
    }
    String::from_utf8(bytes).expect("text")
}

//! Signed questions: parameters as the body of a POST, with the proof that whoever asks has the secret key.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use super::secret::Keys;

/// How long a question is good for. The management server takes 15 minutes at most, and its clock is not ours.
const GOOD_FOR: Duration = Duration::from_secs(600);

/// The body that asks for this. Names are lower case, as the server sorts them by theirs and we by ours.
pub(super) fn body(parameters: &[(&str, &str)], keys: &Keys, now: SystemTime) -> String {
    let expires = expires(now);
    let more =
        [("apikey", keys.api.expose()), ("response", "json"), ("signatureversion", "3"), ("expires", expires.as_str())];
    let mut parameters: Vec<_> = parameters.iter().copied().chain(more).collect();
    parameters.sort_unstable();
    let body = join(&parameters);
    let signature = encode(&sign(&body, keys.secret.expose()));
    format!("{body}&signature={signature}")
}

/// The signature of parameters that are sorted and encoded.
fn sign(parameters: &str, secret: &str) -> String {
    // A key of any length is one, so this has no error.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(parameters.to_lowercase().as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn join(parameters: &[(&str, &str)]) -> String {
    parameters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

/// As Java's `URLEncoder` does, but for the space: the server signs what it gets in this encoding.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => encoded.push(char::from(byte)),
            // Writing into a string has no error.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

/// When a question of now is good no more, in the server's words.
fn expires(now: SystemTime) -> String {
    let text = humantime::format_rfc3339_seconds(now.checked_add(GOOD_FOR).unwrap_or(now)).to_string();
    text.replace('Z', "+0000")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::secret::Secret;
    use super::*;

    /// The one of CloudStack's documentation.
    #[test]
    fn the_known_signature() {
        let key = "plgWJfZK4gyS3mOMTVmjUVg-X-jlWlnfaUJ9GAbBbf9EdM-kAYMmAiLqzzq1ElZLYq_u38zCm0bewzGUdP66mg";
        let secret = "VDaACYb0LV9eNjTetIOElcVQkvJck_J_QljX_FcHRj87ZKiy0z0ty0ZsYBkoXkY9b7eq1EhwJaw7FF3akA3KBQ";
        let parameters = join(&[("apikey", key), ("command", "listUsers"), ("response", "json")]);
        assert_eq!(sign(&parameters, secret), "TTpdDq/7j/J58XCRHomKoQXEQds=");
    }

    #[test]
    fn a_whole_body() {
        let keys = Keys { api: Secret::of("key"), secret: Secret::of("secret") };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let body = body(&[("name", "kvm 1~"), ("command", "listHosts")], &keys, now);
        let (signed, signature) = body.split_once("&signature=").unwrap();
        assert_eq!(
            signed,
            "apikey=key&command=listHosts&expires=2027-01-15T08%3A10%3A00%2B0000&name=kvm%201%7E&response=json&signatureversion=3"
        );
        assert_eq!(signature, encode(&sign(signed, "secret")));
        assert!(!body.contains("secret="), "{body}");
    }

    fn decode(text: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, after @ ..] = rest {
            rest = match (first, after) {
                (b'%', [a, b, after @ ..]) => {
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&[*a, *b]).unwrap(), 16).unwrap());
                    after
                }
                _ => {
                    bytes.push(*first);
                    after
                }
            };
        }
        String::from_utf8(bytes).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_one_value(text in any::<String>()) {
            let encoded = encode(&text);
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-*_%".contains(&byte)));
            prop_assert_eq!(decode(&encoded), text);
        }
    }
}

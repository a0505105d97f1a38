//! No key is in any error, log or debugging text, whatever the server says. Alone in its program: it hears all that is logged.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use ipv6_sg::cloudstack::api::{ApiError, Client};
use ipv6_sg_tests::management::{API_KEY, Cloud, Fault, IMPATIENT, Management, SECRET_KEY};
use tracing_subscriber::filter::LevelFilter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics while logging").extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_key_is_shown() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(move || writer.clone()).init();
    let directory = tempfile::tempdir().expect("a place");
    let management = Management::start(Cloud::default());
    let config = management.config(directory.path());
    let client = Client::with_limits(&config, IMPATIENT).expect("sound settings");
    let mut shown = format!("{config:?} {client:?}");
    client.inventory().expect("an answer");
    let keys = format!(r#"{{"errorresponse":{{"errortext":"{API_KEY} {SECRET_KEY}"}}}}"#);
    let wrong = format!(r#"{{"listhostsresponse":{{"host":[{{"id":"{SECRET_KEY}"}}]}}}}"#);
    let faults = [
        Fault::Echo(200),
        Fault::Echo(401),
        Fault::Echo(530),
        Fault::Says(401, keys.clone()),
        Fault::Says(530, keys.to_lowercase()),
        Fault::Says(200, wrong),
        Fault::Says(200, SECRET_KEY.to_owned()),
        Fault::Cut,
        Fault::Endless,
        Fault::Redirect,
    ];
    for fault in faults {
        for command in ["", "listHosts"] {
            management.fail(command, fault.clone());
            let error: ApiError = client.inventory().expect_err("no answer");
            shown += &format!("{error} {error:?} {error:#?}\n");
        }
    }
    let logged = String::from_utf8_lossy(&log.0.lock().expect("nobody panics while logging")).into_owned();
    // It does hear what is sent.
    assert!(logged.contains("ureq"), "{logged}");
    for (name, text) in [("logged", &logged), ("shown", &shown)] {
        for key in [SECRET_KEY, API_KEY] {
            let found = text.to_lowercase().find(&key.to_lowercase());
            let near = found.map(|at| text.chars().skip(at.saturating_sub(200)).take(400).collect::<String>());
            assert_eq!(near, None, "a key is {name}");
        }
    }
    assert!(shown.contains("[hidden]"), "{shown}");
}

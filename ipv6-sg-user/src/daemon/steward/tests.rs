use tokio::sync::oneshot;

use super::*;

/// A tap came or went while a call came that is refused: it is seen on the call's occasion, and the news of it find nothing new.
#[test]
fn what_moved_is_not_lost_with_a_call_that_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::create_dir(path("state.d")).unwrap();
    let file = "[network.a]\nprefixes = []\n[[port]]\nvm = \"a\"\ninterface = \"a\"\nmac = \"06:00:00:00:00:09\"\nnetwork = \"a\"\naddresses = [\"2001:db8::1\"]";
    std::fs::write(path("state.d/a.toml"), file).unwrap();
    let settings =
        Settings { state_dir: path("state.d"), data_dir: path("data"), run_dir: path("run"), ..Settings::default() };
    let (mut steward, _) = Steward::open(&settings).unwrap();
    steward.found.systems.insert("a tap that is gone".to_owned());
    let (mut calls, (reply, answer), (requests, queue)) = (Calls::default(), oneshot::channel(), mpsc::channel());
    let call = "default_network_rules --vmname i-2-5-VM --vmid 5 --vmmac 06:7a:88:00:00:8b --vif nowhere --nicsecips 2001:db8::1;";
    calls.add(&call.split(' ').map(str::to_owned).collect::<Vec<_>>(), reply);
    steward.hear(About::default(), calls, &requests).unwrap();
    let refused = answer.blocking_recv().unwrap().unwrap_err();
    assert!(refused.contains("2001:db8::1"), "{refused}");
    assert!(queue.try_iter().any(|request| matches!(request, Request::Desired(_))));
}

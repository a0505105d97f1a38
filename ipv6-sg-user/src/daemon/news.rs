//! What the steward hears, and what that is about.

use tokio::sync::oneshot;

use super::kea_source::KeaEvent;
use crate::cloudstack::api;
use crate::state::Settings;

/// Something that the steward hears.
pub(super) enum News {
    /// Interfaces may have changed.
    Links,
    /// State files may have changed.
    Files,
    /// Somebody asked for everything to be looked at again, by these settings if they could be read.
    Reload(Option<Box<Settings>>),
    /// What CloudStack's management server answers.
    Api(api::Event),
    /// What Kea's database says.
    Kea(KeaEvent),
    /// A call of CloudStack's agent, and who waits for its end: what it prints, or one line that says why not.
    Agent(Vec<String>, oneshot::Sender<Result<String, String>>),
    /// It is over.
    Stop,
}

/// What news are about, beside calls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct About {
    pub(super) links: bool,
    pub(super) files: bool,
    /// Somebody who was asked answers something else than before.
    pub(super) answers: bool,
    pub(super) reload: bool,
}

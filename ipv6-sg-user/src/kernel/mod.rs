//! The kernel side of the user side: loading, pinning, attaching, and what the maps hold.
//!
//! Takes compiled ports and writes them; knows neither state files nor where they come from, and decides no policy.
//!
//! ```text
//! <pin_dir>/v<ABI>/maps/<name>            the maps
//! <pin_dir>/v<ABI>/links/<ifindex>-<hook> what keeps the programs on the taps
//! ```

mod attach;
mod batch;
mod bpf;
mod bpffs;
mod clock;
mod clsact;
#[cfg(feature = "diagnostics")]
mod diagnostics;
mod enforced;
mod error;
mod flows;
mod guard;
mod hook;
mod indices;
mod inner;
mod inspect;
mod nested;
mod object;
mod pinned_links;
mod pins;
mod placement;
mod pod;
mod ports;
mod privileges;
mod program;
mod rule_maps;
mod rulesets;
mod skb_layout;
mod store;
mod tcx;

pub use clock::{now_ns, of_running_kernel as clock};
pub use enforced::{EnforcedRules, RuleUse};
pub use error::KernelError;
pub use flows::PortFlows;
pub use guard::Guard;
pub use hook::{Attachment, Hook, TcMethod, XdpMode};
pub use inner::{InnerMaker, kept_aside};
pub use inspect::{Events, Inspect};
pub use object::OBJECT;
pub use pins::Pins;
pub use ports::PortEntry;
pub use privileges::check as check_privileges;
pub use skb_layout::of_running_kernel as skb_layout;
pub use tcx::Ahead;

/// What the functions of this room return.
pub type Result<T> = std::result::Result<T, KernelError>;

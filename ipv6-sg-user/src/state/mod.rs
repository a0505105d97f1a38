//! What the operator wants: the daemon's settings, and the desired state of networks, ports and security groups.
//!
//! Reads text and checks it whole; touches no kernel and decides no policy. Sources say what they want as
//! [`Declarations`], values already checked one by one; [`Model::assemble`] checks them against each other. Whoever
//! holds a [`Model`] may rely on all that `interface.md` promises of it.
//!
//! - [`settings`][]: `config.toml`
//! - [`directory`] and [`mod@file`]: the state files
//! - [`value`]: single values as people write them
//! - [`network`], [`port`], [`group`], [`model`]: the validated state

mod claims;
pub mod directory;
mod document;
pub mod error;
pub mod file;
pub mod group;
pub mod model;
pub mod network;
pub mod origin;
pub mod port;
pub mod settings;
pub mod value;

pub use error::{Error, Invalid, Problem};
pub use group::{Icmpv6, Peer, PortRange, Rule, Rules, SecurityGroup, Traffic};
pub use model::{Declarations, Model};
pub use network::Network;
pub use origin::Origin;
pub use port::Port;
pub use settings::{Cloudstack, Database, Echo, Ipv4, ManagementServer, Pd, Settings, Source, Xdp};

//! Interfaces coming, going and being renamed.

use std::io;

use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;
use nix::net::if_::if_nameindex;
use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::NetlinkPayload;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::kernel::Attachment;

/// The interfaces of this network namespace.
pub fn present() -> io::Result<Vec<Attachment>> {
    let interfaces = if_nameindex()?;
    let link = |interface: &nix::net::if_::Interface| Attachment {
        interface: interface.name().to_string_lossy().into_owned(),
        ifindex: interface.index(),
    };
    Ok(interfaces.iter().map(link).collect())
}

/// Sends `changed` whenever an interface may have come, gone or been renamed, from the moment this returns. What exactly
/// happened is not passed on: messages can be lost, and looking is cheap. Ends when the receiver is gone.
pub fn watch(changed: mpsc::Sender<()>) -> Result<JoinHandle<()>> {
    let (connection, handle, mut messages) = rtnetlink::new_multicast_connection(&[MulticastGroup::Link])
        .context("cannot listen for interfaces on netlink")?;
    Ok(tokio::spawn(async move {
        // The connection ends with its handle.
        let _handle = handle;
        let connection = tokio::spawn(connection);
        while let Some((message, _)) = messages.next().await {
            if let NetlinkPayload::Error(error) = &message.payload {
                tracing::warn!("netlink: {error}");
            }
            match changed.try_send(()) {
                // A full channel already says what this message would.
                Ok(()) | Err(mpsc::error::TrySendError::Full(())) => {}
                Err(mpsc::error::TrySendError::Closed(())) => break,
            }
        }
        connection.abort();
    }))
}

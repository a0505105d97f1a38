//! Interfaces coming, going and being renamed.

use std::io;

use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;
use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::NetlinkPayload;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::kernel::Attachment;
use crate::links::{self, Link};

/// The interfaces of this network namespace.
pub fn present() -> io::Result<Vec<Attachment>> {
    links::present().map(|links| attachments(&links))
}

/// These interfaces, as places for programs.
pub fn attachments(links: &[Link]) -> Vec<Attachment> {
    links.iter().map(|link| Attachment { interface: link.name.clone(), ifindex: link.ifindex }).collect()
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

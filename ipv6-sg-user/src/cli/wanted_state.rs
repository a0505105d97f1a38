//! What the state says, where what is enforced is explained by them. It is shown without that too.

use anyhow::Result;

use crate::compile::{Image, PortImage, compile};
use crate::sources;
use crate::state::{Model, Port, Settings};

/// What the state says, or why it says nothing.
pub(super) struct WantedState(Result<(Model, Image), String>);

/// What the state says of a port.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) model: &'a Model,
    pub(super) image: &'a Image,
    pub(super) port: &'a Port,
    /// What its maps are to hold.
    pub(super) compiled: &'a PortImage,
}

impl WantedState {
    /// Whatever it says.
    pub(super) fn read(settings: &Settings) -> Self {
        Self::sound(settings).unwrap_or_else(|error| Self(Err(format!("{error:#}"))))
    }

    /// # Errors
    /// It cannot be read, or is not sound.
    pub(super) fn sound(settings: &Settings) -> Result<Self> {
        let model = sources::look(settings)?;
        let image = compile(&model, settings)?;
        Ok(Self(Ok((model, image))))
    }

    /// Why it says nothing.
    pub(super) fn unread(&self) -> Option<&str> {
        self.0.as_ref().err().map(String::as_str)
    }

    /// The port with this interface, if there is one.
    pub(super) fn port(&self, interface: &str) -> Option<Wanted<'_>> {
        let (model, image) = self.0.as_ref().ok()?;
        Some(Wanted { model, image, port: model.ports().get(interface)?, compiled: image.ports.get(interface)? })
    }
}

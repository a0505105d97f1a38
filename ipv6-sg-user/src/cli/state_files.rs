//! What the state files say, where what is enforced is explained by them. It is shown without them too.

use anyhow::Result;

use crate::compile::{Image, PortImage, compile};
use crate::state::{Model, Port, Settings, directory};

/// What the state files say, or why they say nothing.
pub(super) struct StateFiles(Result<(Model, Image), String>);

/// What the state files say of a port.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) model: &'a Model,
    pub(super) image: &'a Image,
    pub(super) port: &'a Port,
    /// What its maps are to hold.
    pub(super) compiled: &'a PortImage,
}

impl StateFiles {
    /// Whatever they say.
    pub(super) fn read(settings: &Settings) -> Self {
        Self::sound(settings).unwrap_or_else(|error| Self(Err(format!("{error:#}"))))
    }

    /// # Errors
    /// They cannot be read, or are not sound.
    pub(super) fn sound(settings: &Settings) -> Result<Self> {
        let model = directory::load(&settings.state_dir)?;
        let image = compile(&model, settings)?;
        Ok(Self(Ok((model, image))))
    }

    /// Why they say nothing.
    pub(super) fn unread(&self) -> Option<&str> {
        self.0.as_ref().err().map(String::as_str)
    }

    /// The port with this interface, if they have one.
    pub(super) fn port(&self, interface: &str) -> Option<Wanted<'_>> {
        let (model, image) = self.0.as_ref().ok()?;
        Some(Wanted { model, image, port: model.ports().get(interface)?, compiled: image.ports.get(interface)? })
    }
}

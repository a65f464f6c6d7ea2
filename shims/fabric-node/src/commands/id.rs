//! `id new` and `id show`.

use crate::cli::{Format, Id};
use crate::exit::{Exit, Failure};
use crate::identity::Identity;
use crate::output::result;

pub(crate) fn id(command: &Id, format: Format) -> Result<(), Failure> {
    let identity = match command {
        Id::New { file } => {
            let identity = Identity::generate()?;
            identity.save(file)?;
            identity
        }
        Id::Show { file } => Identity::load(file)?,
    };
    let (device, noise_static) = (identity.device_id(), identity.noise_public());
    let text = match format {
        Format::Human => format!("device id     {device}\nnoise static  {noise_static}\n"),
        Format::Json => format!(
            "{}\n",
            serde_json::json!({ "device_id": device.to_string(), "noise_static": noise_static.to_string() })
        ),
    };
    result(&text).map_err(|error| Failure::new(Exit::Internal, format!("the result cannot be written: {error}")))
}

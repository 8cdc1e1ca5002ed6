//! What was typed: `generate PROFILE OUT.pcap [--megabytes N | --scale X] [--seed N] [--truth FILE]`.

use std::path::PathBuf;

use crate::profiles::{self, Entry};
use crate::scale::Scale;

/// What to make, and where to.
pub(crate) struct Arguments {
    /// The profile.
    pub(crate) profile: &'static Entry,
    /// The capture.
    pub(crate) output: PathBuf,
    /// Its size.
    pub(crate) scale: Scale,
    /// What fixes its random numbers.
    pub(crate) seed: u64,
    /// Where the counts go, if anywhere.
    pub(crate) truth: Option<PathBuf>,
}

impl Arguments {
    /// Reads the arguments behind the program's name.
    ///
    /// # Errors
    ///
    /// One line that says which argument is wrong, with the usage.
    pub(crate) fn parse(mut typed: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut free = Vec::new();
        let mut megabytes = None;
        let mut scale = None;
        let mut seed = 1;
        let mut truth = None;
        while let Some(argument) = typed.next() {
            if !argument.starts_with("--") {
                free.push(argument);
                continue;
            }
            let value = typed.next().ok_or_else(|| format!("{argument}: a value is missing ({USAGE})"))?;
            let wrong = || format!("{argument} {value}: not a number above 0 ({USAGE})");
            match argument.as_str() {
                "--megabytes" => megabytes = Some(value.parse().map_err(|_| wrong())?),
                "--scale" => scale = Some(Scale::parse(&value).ok_or_else(wrong)?),
                "--seed" => seed = value.parse().map_err(|_| wrong())?,
                "--truth" => truth = Some(PathBuf::from(value)),
                _ => return Err(format!("{argument}: no such option ({USAGE})")),
            }
        }
        let [name, output]: [String; 2] =
            free.try_into().map_err(|_| format!("a profile and a file are needed ({USAGE})"))?;
        let profile = profiles::ALL
            .iter()
            .find(|entry| entry.name == name)
            .ok_or_else(|| format!("{name}: no such profile ({USAGE})"))?;
        let scale = match (scale, megabytes) {
            (Some(_), Some(_)) => {
                return Err(format!("--scale and --megabytes: only one ({USAGE})"));
            }
            (Some(scale), None) => scale,
            (None, Some(megabytes)) => Scale::of_size(megabytes, profile.megabytes),
            (None, None) => Scale::ONE,
        };
        Ok(Self { profile, output: output.into(), scale, seed, truth })
    }
}

const USAGE: &str = "usage: generate chat|bulk|mixed|synflood|longlived|ipv6|deflate|late|dropped OUT.pcap \
                     [--megabytes N | --scale X] [--seed N] [--truth OUT.json]";

//! Packets that the short way leaves: what is in tunnels, and what is in fragments.

use super::fragments::{Fragments, Whole};
use super::tunnel::{Carried, Found, Walk};
use super::{Segment, Skip, tcp};
use crate::capture::LinkType;
use crate::units::Origin;

/// Looks into packets for which [`super::decode`] finds no segment, and keeps fragments.
#[derive(Debug, Default)]
pub struct Unwrap {
    fragments: Fragments,
    /// The packet that became whole last.
    whole: Option<Whole>,
}

/// What came of a packet.
#[derive(Debug)]
pub enum Unwrapped<'packet, 'kept> {
    /// A segment in the packet itself.
    Segment(Segment<'packet>),
    /// A segment of a packet that is whole with this fragment of it.
    Whole(Segment<'kept>),
    /// The packet is a fragment, and others are awaited.
    Kept,
}

impl Unwrap {
    /// Takes a packet for which `reason` was given.
    ///
    /// # Errors
    /// If there is no segment to be found, the reason why.
    #[cold]
    pub fn packet<'packet, 'kept>(
        &'kept mut self,
        link: LinkType,
        captured: &'packet [u8],
        original: u32,
        origin: Origin,
        reason: Skip,
    ) -> Result<Unwrapped<'packet, 'kept>, Skip> {
        if !is_worth_while(reason) {
            return Err(reason);
        }
        let fragment = match Walk::of_packet(link, captured, original).on()? {
            Found::Tcp(carried) => return segment(&carried, origin).map(Unwrapped::Segment),
            Found::Fragment(fragment) => fragment,
        };
        let Some(mut whole) = self.fragments.add(&fragment, origin.time)? else { return Ok(Unwrapped::Kept) };
        // What becomes whole may be a tunnel in which there are fragments again.
        for _ in 0..NESTED_FRAGMENTS {
            let next = match Walk::of_fragments(&whole.key, whole.hop_limit, &whole.bytes).on()? {
                Found::Tcp(_) => None,
                Found::Fragment(fragment) => Some(self.fragments.add(&fragment, origin.time)?),
            };
            match next {
                Some(Some(inner)) => whole = inner,
                Some(None) => return Ok(Unwrapped::Kept),
                None => {
                    let whole = self.whole.insert(whole);
                    return match Walk::of_fragments(&whole.key, whole.hop_limit, &whole.bytes).on()? {
                        Found::Tcp(carried) => segment(&carried, origin).map(Unwrapped::Whole),
                        Found::Fragment(_) => Err(Skip::TooDeep),
                    };
                }
            }
        }
        Err(Skip::TooDeep)
    }

    /// Fragments that were given up since the last call: theirs are packets that did not become whole. `all` if nothing
    /// more will come.
    pub fn take_lost(&mut self, all: bool) -> u64 {
        self.fragments.take_lost(all)
    }
}

/// Whether there may be more in a packet than the short way sees.
const fn is_worth_while(reason: Skip) -> bool {
    matches!(reason, Skip::NotIp | Skip::NotTcp | Skip::Fragment | Skip::UnknownLink(_))
}

fn segment<'a>(carried: &Carried<'a>, origin: Origin) -> Result<Segment<'a>, Skip> {
    let about = (carried.hosts.hop_limit, carried.identification, origin);
    tcp(carried.bytes, carried.length, about, |ports| carried.hosts.addresses.flow(ports))
}

/// Fragments in fragments that are followed.
const NESTED_FRAGMENTS: usize = 4;

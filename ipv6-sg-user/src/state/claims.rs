//! No address is two VMs': announced prefixes, delegated prefixes and single addresses are laid side by side.
//!
//! Prefixes either nest or are disjoint. Sorted by first address, longer after shorter, whatever contains a prefix
//! stands before it and is still open when it comes: one pass over all of them finds every clash.

use std::collections::BTreeMap;

use ipnet::Ipv6Net;
use ipv6_sg_common::address::Address;
use ipv6_sg_common::eui64;

use super::model::invalid;
use super::{Error, Network, Port, Problem};

/// Who lays claim to a prefix. The order decides between equal prefixes: what may contain others comes first.
#[derive(Clone, Copy, Debug)]
enum Claimant<'a> {
    Announced(&'a Network),
    Delegated(&'a Port, usize),
    /// An extra address with its index, or one formed by SLAAC.
    Single(&'a Port, Option<usize>),
}

#[derive(Clone, Copy, Debug)]
struct Claim<'a> {
    prefix: Ipv6Net,
    claimant: Claimant<'a>,
    /// In which order they were written: the later of two is the one that is refused.
    written: usize,
}

/// Checks that no claims clash.
///
/// # Errors
/// The clash at the lowest address.
pub(super) fn check(networks: &BTreeMap<String, Network>, ports: &[Port]) -> Result<(), Error> {
    let mut claims = Vec::new();
    let mut claim = |prefix, claimant| {
        let written = claims.len();
        claims.push(Claim { prefix, claimant, written });
    };
    for network in networks.values() {
        for prefix in &network.prefixes {
            claim(*prefix, Claimant::Announced(network));
        }
    }
    for port in ports {
        for prefix in networks.get(&port.network).iter().flat_map(|network| &network.prefixes) {
            let address = eui64::slaac(Address::from_ip(prefix.addr()), port.mac);
            claim(Ipv6Net::from(address.to_ip()), Claimant::Single(port, None));
        }
        for (index, address) in port.addresses.iter().enumerate() {
            claim(Ipv6Net::from(address.to_ip()), Claimant::Single(port, Some(index)));
        }
        for (index, prefix) in port.delegated.iter().enumerate() {
            claim(*prefix, Claimant::Delegated(port, index));
        }
    }
    claims.sort_by_key(|claim| (claim.prefix.addr(), claim.prefix.prefix_len(), claim.claimant.rank(), claim.written));
    let mut open: Vec<Claim<'_>> = Vec::new();
    for inner in claims {
        while open.pop_if(|outer| !outer.prefix.contains(&inner.prefix)).is_some() {}
        if let Some(outer) = open.last() {
            clash(outer, &inner)?;
        }
        open.push(inner);
    }
    Ok(())
}

impl Claimant<'_> {
    const fn rank(&self) -> u8 {
        match self {
            Self::Announced(_) => 0,
            Self::Delegated(..) => 1,
            Self::Single(..) => 2,
        }
    }
}

/// Whether `inner` may lie in `outer`, the closest prefix that contains it. Looking at the closest is enough: were a
/// wider one forbidden, the closest one would have been refused within it.
fn clash(outer: &Claim<'_>, inner: &Claim<'_>) -> Result<(), Error> {
    use Claimant::{Announced, Delegated, Single};
    match (outer.claimant, inner.claimant) {
        // Two networks may announce one /64, and addresses are formed from it.
        (Announced(_), Announced(_) | Single(..)) => Ok(()),
        (Announced(network), Delegated(port, index)) => {
            Err(overlaps_network(network, outer.prefix, port, index, inner.prefix))
        }
        (Delegated(port, index), Announced(network)) => {
            Err(overlaps_network(network, inner.prefix, port, index, outer.prefix))
        }
        (Delegated(owner, _), Delegated(port, _)) if owner.vm == port.vm && outer.prefix != inner.prefix => Ok(()),
        (Delegated(outer_port, outer_index), Delegated(inner_port, inner_index)) => {
            let (outer_end, inner_end) = ((outer_port, outer_index, outer), (inner_port, inner_index, inner));
            let later_is_inner = inner.written > outer.written;
            let (first, later) = if later_is_inner { (outer_end, inner_end) } else { (inner_end, outer_end) };
            Err(overlaps_delegation(first, later))
        }
        (Delegated(owner, _), Single(port, _)) if owner.vm == port.vm => Ok(()),
        (Delegated(owner, _), Single(port, index)) => {
            let (vm, origin) = (owner.vm.clone(), owner.origin.clone());
            Err(address(port, index, inner, Problem::AddressDelegated { prefix: outer.prefix, vm, origin }))
        }
        (Single(outer_port, outer_index), Single(inner_port, inner_index)) => {
            same_address((outer_port, outer_index, outer), (inner_port, inner_index, inner))
        }
        // One address contains nothing wider, and equal claims are in the order of their ranks.
        (Single(..), Announced(_) | Delegated(..)) => Ok(()),
    }
}

/// What the daemon cannot know is which of the two is wrong; a delegation is the easier one to change.
fn overlaps_network(network: &Network, announced: Ipv6Net, port: &Port, index: usize, delegated: Ipv6Net) -> Error {
    let (name, origin) = (network.name.clone(), network.origin.clone());
    let problem = Problem::OverlapsNetwork { prefix: announced, network: name, origin };
    invalid(port, &format!("delegated[{index}]"), &delegated.to_string(), problem)
}

fn overlaps_delegation(first: (&Port, usize, &Claim<'_>), later: (&Port, usize, &Claim<'_>)) -> Error {
    let ((owner, _, owned), (port, index, claim)) = (first, later);
    let (vm, origin) = (owner.vm.clone(), owner.origin.clone());
    let problem = if owned.prefix == claim.prefix {
        Problem::DelegatedTwice { vm, origin }
    } else {
        Problem::OverlapsDelegation { prefix: owned.prefix, vm, origin }
    };
    invalid(port, &format!("delegated[{index}]"), &claim.prefix.to_string(), problem)
}

/// Two claims to one address. An address written by hand is refused rather than one that follows from a MAC, a later
/// one rather than an earlier one.
fn same_address(
    one: (&Port, Option<usize>, &Claim<'_>),
    other: (&Port, Option<usize>, &Claim<'_>),
) -> Result<(), Error> {
    let key = |(_, index, claim): &(&Port, Option<usize>, &Claim<'_>)| (index.is_some(), claim.written);
    let (first, later) = if key(&one) < key(&other) { (one, other) } else { (other, one) };
    let ((owner, first_index, _), (port, index, claim)) = (first, later);
    if owner.interface != port.interface {
        let (vm, interface, origin) = (owner.vm.clone(), owner.interface.clone(), owner.origin.clone());
        return Err(address(port, index, claim, Problem::AddressTaken { vm, interface, origin }));
    }
    // Listing the address that the port forms anyway is redundant, not wrong.
    if first_index.is_none() { Ok(()) } else { Err(address(port, index, claim, Problem::ListedTwice)) }
}

/// The error that refuses an address of a port: where it is written, or the MAC that it follows from.
fn address(port: &Port, index: Option<usize>, claim: &Claim<'_>, problem: Problem) -> Error {
    let key = index.map_or("mac's address".to_owned(), |index| format!("addresses[{index}]"));
    invalid(port, &key, &claim.prefix.addr().to_string(), problem)
}

#[cfg(test)]
mod tests;

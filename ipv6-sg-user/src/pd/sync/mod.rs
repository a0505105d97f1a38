//! The VMs that somebody lists, all of them, and the pool: those that are there get prefixes, those that are no more lose them
//! after a time. What was given by hand stays.
//!
//! That a VM is followed, and since when it is missing, stands beside its name in the database, so that any machine can go on
//! where another has stopped. Each step is done as a whole, and only where all is still as it was when it was planned.

mod plan;

use std::collections::BTreeMap;

use ipnet::Ipv6Net;
use ipv6_sg_common::mac::Mac;

pub use plan::{Action, Recorded, Resident, Rule, Step, plan};

use super::list::Reserved;
use super::names::{self, Context};
use super::release::Whose;
use super::{PdError, Pool};

/// The keys of a VM's context: the cloud that says that it is there, and since when that does not.
const FOLLOWS: &str = "follows";
const MISSING: &str = "missing";

impl Pool {
    /// The VMs that have prefixes of the pool, how many of this length, and the database's clock in seconds since 1970.
    ///
    /// # Errors
    /// The database refuses, or is away.
    pub async fn recorded(&mut self, length: u8) -> Result<(i64, Vec<Recorded>), PdError> {
        let now = self.at_once(async |pool| Ok(pool.lock().await?.now)).await?;
        let mut recorded: BTreeMap<Mac, Recorded> = BTreeMap::new();
        for Reserved { mac, context, prefix } in self.reserved().await? {
            let known = recorded.entry(mac).or_insert_with(|| Recorded {
                mac,
                vm: context.vm().map(ToOwned::to_owned),
                followed: context.get(FOLLOWS).map(ToOwned::to_owned),
                missing_since: context.get(MISSING).and_then(names::seconds),
                prefixes: 0,
            });
            known.prefixes += usize::from(prefix.prefix_len() == length);
        }
        Ok((now, recorded.into_values().collect()))
    }

    /// Does a step of a [`plan`]: the prefixes that a VM got, or lost.
    ///
    /// # Errors
    /// The pool has no more, somebody else has changed what the plan relied on, or the database refuses. Nothing is done then.
    pub async fn step(&mut self, step: &Step, cloud: &str, count: u32, length: u8) -> Result<Vec<Ipv6Net>, PdError> {
        let Step { vm, mac, action, .. } = step;
        match action {
            Action::Allocate => self.at_once(async |pool| pool.follow(vm, *mac, cloud, count, length).await).await,
            Action::Miss | Action::Find => {
                let is_missing = *action == Action::Miss;
                self.at_once(async |pool| pool.mark(vm, *mac, cloud, is_missing).await).await.map(|()| Vec::new())
            }
            Action::Release => self.at_once(async |pool| pool.leave(step, cloud).await).await,
            Action::Wait(_) | Action::Leave(_) => Ok(Vec::new()),
        }
    }

    async fn follow(
        &mut self,
        vm: &str,
        mac: Mac,
        cloud: &str,
        count: u32,
        length: u8,
    ) -> Result<Vec<Ipv6Net>, PdError> {
        let allocated = self.allocate_at_once(vm, mac, count, length).await?;
        let mut host = self.host_of(vm, mac).await?;
        host.context.set(FOLLOWS, Some(cloud));
        host.context.set(MISSING, None);
        self.write_context(&host).await?;
        Ok(allocated.new)
    }

    async fn mark(&mut self, vm: &str, mac: Mac, cloud: &str, is_missing: bool) -> Result<(), PdError> {
        let locked = self.lock().await?;
        let Some(mut host) = self.host(mac).await? else { return Ok(()) };
        // Somebody else may have been here.
        if is_followed(&host.context, vm, cloud) && host.context.get(MISSING).is_some() != is_missing {
            host.context.set(MISSING, is_missing.then(|| names::moment(locked.now)).as_deref());
            self.write_context(&host).await?;
        }
        Ok(())
    }

    async fn leave(&mut self, step: &Step, cloud: &str) -> Result<Vec<Ipv6Net>, PdError> {
        let Step { vm, mac, missing_since, .. } = step;
        let _locked = self.lock().await?;
        // It may have been found meanwhile.
        let as_planned = |context: &Context| {
            is_followed(context, vm, cloud) && context.get(MISSING).and_then(names::seconds) == *missing_since
        };
        if !self.host(*mac).await?.is_some_and(|host| as_planned(&host.context)) {
            return Ok(Vec::new());
        }
        let released = self.release_at_once(&Whose::Both(*mac, vm.clone()), None).await?;
        Ok(released.into_iter().map(|released| released.prefix).collect())
    }
}

fn is_followed(context: &Context, vm: &str, cloud: &str) -> bool {
    context.vm() == Some(vm) && context.get(FOLLOWS) == Some(cloud)
}

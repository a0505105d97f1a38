//! The allocator against a naive one: a list of who has what. Whatever is asked in whatever order, what is given is free, and what is
//! refused for want of room has none.

use std::collections::BTreeMap;

use ipnet::Ipv6Net;
use ipv6_sg::kea::Kind;
use ipv6_sg::pd::release::Whose;
use ipv6_sg::pd::{PdError, Pool};
use ipv6_sg::state::Pd;
use ipv6_sg_common::mac::Mac;
use ipv6_sg_tests::lab::Dice;
use ipv6_sg_tests::lab::kea::{Hosts, Release, Server};

/// What is asked, one after the other.
const STEPS: u32 = 400;

/// Who has what.
#[derive(Default)]
struct Naive {
    given: BTreeMap<Mac, Vec<Ipv6Net>>,
}

fn overlap(one: Ipv6Net, other: Ipv6Net) -> bool {
    one.contains(&other) || other.contains(&one)
}

impl Naive {
    /// Whether nobody has any of it.
    fn is_free(&self, prefix: Ipv6Net, settings: &Pd) -> bool {
        let given = self.given.values().flatten().any(|given| overlap(*given, prefix));
        !given
            && !settings.reserved.iter().any(|reserved| overlap(*reserved, prefix))
            && settings.pool.contains(&prefix)
    }

    /// How many prefixes of a length could be given at once.
    fn room(&self, length: u8, settings: &Pd) -> usize {
        settings.pool.subnets(length).expect("longer").filter(|prefix| self.is_free(*prefix, settings)).count()
    }
}

fn net(text: &str) -> Ipv6Net {
    text.parse().expect("a prefix")
}

/// Another pool, right after the one that is tried: what is reserved there takes nothing from it.
async fn neighbour(settings: &Pd) {
    let settings = Pd { pool: net("2001:db8:f001::/56"), subnet_id: 2, reserved: Vec::new(), ..settings.clone() };
    let mut pool = Pool::open(&settings).await.expect("a database");
    pool.set_up().await.expect("it can be set up");
    let mac = Mac { octets: [6, 0, 0, 0, 1, 0] };
    pool.allocate("neighbour", mac, 1, 60).await.expect("there is room");
    pool.close().await;
}

async fn play(hosts: &Hosts<'_>, settings: &Pd, seed: u64) {
    neighbour(settings).await;
    let mut pool = Pool::open(settings).await.expect("a database");
    pool.set_up().await.expect("it can be set up");
    let (mut dice, mut naive, mut refusals) = (Dice::new(seed), Naive::default(), 0);
    let mut roll = |sides| u8::try_from(dice.roll(sides)).expect("small");
    for step in 0..STEPS {
        let number = roll(9);
        let (vm, mac) = (format!("vm-{number}"), Mac { octets: [6, 0, 0, 0, 0, number] });
        let context = |what: &str| format!("seed {seed}, step {step}, {vm}: {what}");
        if roll(3) > 0 {
            let (count, length) = (1 + roll(5), 57 + roll(6));
            let mine = naive.given.entry(mac).or_default();
            let had: Vec<_> = mine.iter().copied().filter(|prefix| prefix.prefix_len() == length).collect();
            let wanted = usize::from(count).saturating_sub(had.len());
            match pool.allocate(&vm, mac, count.into(), length).await {
                Ok(allocated) => {
                    assert_eq!(allocated.new.len(), wanted, "{}", context("count"));
                    for prefix in &allocated.new {
                        assert_eq!(prefix.prefix_len(), length);
                        assert!(naive.is_free(*prefix, settings), "{}", context(&format!("{prefix} is not free")));
                        naive.given.entry(mac).or_default().push(*prefix);
                    }
                    let mut all = [had, allocated.new].concat();
                    all.sort();
                    assert_eq!(allocated.prefixes, all, "{}", context("what it has"));
                }
                Err(PdError::Exhausted { .. }) => {
                    refusals += 1;
                    let room = naive.room(length, settings);
                    assert!(
                        room < wanted,
                        "{}",
                        context(&format!("{room} of /{length} are free, {wanted} are wanted"))
                    );
                }
                Err(error) => panic!("{}", context(&error.to_string())),
            }
        } else {
            let mine = naive.given.entry(mac).or_default();
            let one = (roll(2) == 0).then(|| mine.first().copied()).flatten();
            let whose = if roll(2) == 0 { Whose::Mac(mac) } else { Whose::Vm(vm.clone()) };
            let (mut gone, kept): (Vec<_>, Vec<_>) =
                mine.iter().partition(|prefix| one.is_none_or(|one| one == **prefix));
            *mine = kept;
            match pool.release(&whose, one).await {
                Ok(released) => {
                    gone.sort();
                    assert_eq!(released.into_iter().map(|released| released.prefix).collect::<Vec<_>>(), gone);
                }
                Err(PdError::NothingReserved { .. }) => assert_eq!(gone, [], "{}", context("nothing to release")),
                Err(error) => panic!("{}", context(&error.to_string())),
            }
        }
        if step % 40 == 39 {
            assert_eq!(pool.check().await.expect("readable"), [], "{}", context("check"));
            let listed: Vec<_> =
                pool.list().await.expect("readable").into_iter().map(|row| (row.mac, row.prefix)).collect();
            let mut expected: Vec<_> =
                naive.given.iter().flat_map(|(mac, prefixes)| prefixes.iter().map(|prefix| (*mac, *prefix))).collect();
            expected.sort_by_key(|(_, prefix)| *prefix);
            assert_eq!(listed, expected, "{}", context("list"));
        }
        if step % 97 == 96 {
            // Somebody else removes a VM: what it had is a gap.
            hosts.sql("DELETE FROM hosts WHERE dhcp_identifier_type = 0 AND user_context LIKE '%vm-3%';");
            naive.given.remove(&Mac { octets: [6, 0, 0, 0, 0, 3] });
        }
    }
    assert!(refusals > 20, "{refusals} of {STEPS}: there is too much room to be tried");
}

fn against_a_naive_one(kind: Kind) {
    let server = Server::start(kind);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (release, seed) in [(Release::Kea2_2, 1), (Release::Kea3_0, 2)] {
        let hosts = Hosts::new(&server, release);
        let settings = Pd {
            pool: net("2001:db8:f000:ff00::/56"),
            length: 60,
            reserved: vec![net("2001:db8:f000:ff48::/61"), net("2001:db8:f000:ff00::/60")],
            rest: std::time::Duration::ZERO,
            subnet_id: 1,
            database: hosts.settings(),
        };
        runtime.block_on(play(&hosts, &settings, seed));
    }
}

#[test]
fn against_a_naive_one_in_postgresql() {
    against_a_naive_one(Kind::Postgres);
}

#[test]
fn against_a_naive_one_in_mariadb() {
    against_a_naive_one(Kind::Mysql);
}

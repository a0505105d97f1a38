//! A disk that is full, and one that is read-only, both real: what the agent says is enforced all the same and the agent told to
//! try again, what was kept stays whole, and the next try keeps it.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::lab::{CloudHost, address};
use ipv6_sg_tests::world::VM_PRIVACY;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

const SSH: &str = "I:tcp;22;22;::/0,NEXT;";

/// A small disk in the place of the data directory. This thread and what it starts see it, and nobody else: when they have ended
/// it is gone, whatever ended them.
struct Disk {
    data: PathBuf,
}

impl Disk {
    /// The host comes first: what cleans up after all tests of this program is started with it, and must not see the disk.
    fn mount(host: &CloudHost) -> Self {
        let data = host.hypervisor.site.path("data");
        fs::create_dir(&data).expect("our own directory");
        unshare(CloneFlags::CLONE_NEWNS).expect("root makes mount namespaces");
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("a namespace of our own");
        mount(Some("tmpfs"), &data, Some("tmpfs"), MsFlags::empty(), Some("nr_blocks=16")).expect("a tmpfs");
        Self { data }
    }

    /// How much a file takes at least.
    fn page(&self) -> usize {
        let size = fs::metadata(&self.data).expect("our own disk").blksize();
        usize::try_from(size).expect("small")
    }

    /// Takes all room but one page: a file can be begun here, and not finished.
    fn fill(&self) {
        let (filler, probe, page) = (self.data.join("filler"), self.data.join("probe"), self.page());
        let mut file = File::create(&filler).expect("room");
        let full = std::iter::repeat_with(|| file.write_all(&vec![0; page])).find_map(Result::err);
        assert_eq!(full.map(|error| error.kind()), Some(ErrorKind::StorageFull));
        let taken = file.metadata().expect("our own file").len();
        file.set_len(taken - u64::try_from(page).expect("small")).expect("a page less");

        let error = fs::write(&probe, vec![0; 2 * page]).expect_err("more than there is room for");
        assert_eq!((error.kind(), fs::read(&probe).map(|half| half.len()).ok()), (ErrorKind::StorageFull, Some(page)));
        fs::remove_file(&probe).expect("our own file");
    }

    fn make_room(&self) {
        fs::remove_file(self.data.join("filler")).expect("our own file");
    }

    /// As `mount -o remount` does.
    fn remount(&self, how: MsFlags) {
        let none = None::<&str>;
        mount(none, &self.data, none, MsFlags::MS_REMOUNT | how, none).expect("a disk of ours");
    }

    /// Port 80, for so many that their record takes more than one page.
    fn web(&self) -> String {
        let peers = (1..).map(|number: u16| format!("2001:db8:9::{number:x}/128,"));
        let peers: String = peers.take(self.page() / 8).collect();
        format!("I:tcp;80;80;::/0,{peers}NEXT;")
    }

    /// What is kept: the names of all files, and what is in the VM's.
    fn kept(&self) -> (Vec<String>, Vec<u8>) {
        let files = fs::read_dir(self.data.join("cloudstack")).expect("the daemon's directory");
        let mut names: Vec<_> =
            files.map(|file| file.expect("readable").file_name().into_string().expect("a name of ours")).collect();
        names.sort();
        (names, fs::read(self.record()).expect("a record"))
    }

    fn record(&self) -> PathBuf {
        self.data.join("cloudstack/i-2-5-VM.json")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Its place is removed next, and that cannot be done while something is mounted there.
        let _ = umount2(&self.data, MntFlags::MNT_DETACH);
    }
}

/// Panics unless the VM has its rules, of the two ports with this one alone.
#[track_caller]
fn assert_open(host: &CloudHost, port: u16) {
    assert_eq!(host.hypervisor.programs("vnet1"), 2);
    let enforced = &host.hypervisor.json("rules vnet1")[0]["enforced"]["ingress"]["table"];
    let open = serde_json::json!([{ "prefix": "::/0", "allowed": [{ "protocol": "tcp", "ports": port.to_string() }] }]);
    assert_eq!(*enforced, open);
    assert_eq!([22, 80].map(|other| host.opens(&host.vm, other)), [22, 80].map(|other| other == port));
    assert_eq!(host.sends_from(&host.vm, address(&host.vm)), Reason::Allowed);
    assert_eq!(host.sends_from(&host.vm, VM_PRIVACY), Reason::SourcePrivacy);
}

/// What a disk does on which nothing can be kept: how it comes to that, and back; what it says; and what a crash leaves there.
struct Spoiled {
    spoil: fn(&Disk),
    mend: fn(&Disk),
    reason: &'static str,
    crash: fn(&Path, &[u8]),
}

#[track_caller]
fn is_enforced_and_kept_later(how: &Spoiled) {
    let host = CloudHost::new("");
    let disk = Disk::mount(&host);
    let daemon = host.hypervisor.daemon();
    let (agent, nic, web) = (host.agent(), host.started(), disk.web());
    let logs = |sequence| format!("i-2-5-VM,5,10.1.1.5,1,sig{sequence},{sequence}\n");
    agent.done(&nic.ruled(3, SSH));
    let before = disk.kept();
    assert_eq!(before.0, ["i-2-5-VM.json"]);

    (how.spoil)(&disk);
    let refusal = format!(
        "i-2-5-VM is enforced, and not kept beyond the daemon's end: cannot write {}: {}; free space below data_dir, or make it \
         writable",
        disk.record().display(),
        how.reason
    );
    for _ in 0..2 {
        assert_eq!(agent.refused(&nic.ruled(4, &web)), refusal);
        assert_open(&host, 80);
        assert_eq!(disk.kept(), before);
        assert_eq!(agent.done("get_rule_logs_for_vms"), logs(4));
    }

    // The daemon goes, and what it has kept is what another knows. That is said to the server, which sends the rest again.
    drop(daemon);
    assert_open(&host, 80);
    (how.crash)(&disk.record(), &before.1);
    let daemon = host.hypervisor.daemon();
    daemon.assert_never("is no record");
    assert_eq!(disk.kept().1, before.1);
    assert_eq!(agent.done("get_rule_logs_for_vms"), logs(3));
    assert_open(&host, 22);
    assert_eq!(agent.refused(&nic.ruled(4, &web)), refusal);
    assert_open(&host, 80);
    assert_eq!(disk.kept(), before);

    (how.mend)(&disk);
    agent.done(&nic.ruled(4, &web));
    assert_open(&host, 80);
    let (names, record) = disk.kept();
    assert_eq!(names, ["i-2-5-VM.json"]);
    let record: serde_json::Value = serde_json::from_slice(&record).expect("a record");
    let version = &record["nics"][0]["version"];
    assert!(version["sequence"] == 4 && version["rules"] == web.as_str(), "{version:.100}");
    drop(daemon);
    let daemon = host.hypervisor.daemon();
    assert_eq!(agent.done("get_rule_logs_for_vms"), logs(4));
    assert_open(&host, 80);
    daemon.assert_never("ERROR");
}

/// The room ends in the midst of a record.
#[test]
fn a_full_disk() {
    is_enforced_and_kept_later(&Spoiled {
        spoil: Disk::fill,
        mend: Disk::make_room,
        reason: "No space left on device (os error 28)",
        crash: |record, text| {
            let begun = record.with_file_name(".i-2-5-VM.json.new");
            fs::write(begun, &text[..text.len() / 2]).expect("a page");
        },
    });
}

/// As file systems become that have found themselves damaged.
#[test]
fn a_read_only_disk() {
    is_enforced_and_kept_later(&Spoiled {
        spoil: |disk| disk.remount(MsFlags::MS_RDONLY),
        mend: |disk| disk.remount(MsFlags::empty()),
        reason: "Read-only file system (os error 30)",
        crash: |_, _| {},
    });
}

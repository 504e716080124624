//! What the machine boots: a kernel as it is published, and a file system in memory with the
//! extension, the emulator and the few libraries they need.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::scene::Missing;
use crate::servers::{installed, tools};

/// The first process inside. `10.0.2.15` is this machine and `10.0.2.2` the host, by qemu's custom.
const INIT: &str = r"#!/busybox sh
set -e
/busybox mount -t proc proc /proc
/busybox mount -t sysfs sysfs /sys
/busybox mount -t devtmpfs dev /dev
for module in $(/busybox cat /modules/order); do /busybox insmod /modules/$module.ko; done
until [ -e /sys/class/net/eth0 ]; do /busybox usleep 10000; done
/busybox ifconfig lo up
/busybox ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
/busybox stty -F /dev/ttyS1 raw -echo
export RIGHTSIZER_EXTENSION_BINARY=/rightsizer-extension
exec /sandbox </dev/ttyS1 >/dev/ttyS1
";

/// Kernel and file system, ready to boot.
pub(super) struct Image {
    pub(super) kernel: PathBuf,
    pub(super) files: PathBuf,
    /// Holds the files.
    _folder: TempDir,
}

impl Image {
    /// Makes one. `sandbox` is the program that leads the emulated environment.
    pub(super) fn make(extension: &Path, sandbox: &Path) -> Result<Self> {
        if let Ok(why) = fs::read_to_string(tools().join("vm/missing")) {
            return Err(Missing(why.trim_end().to_owned()).into());
        }
        let vm = |file: &str| {
            let needs = "Debian's or Ubuntu's packages";
            installed(&tools().join("vm").join(file), "The virtual machine", needs)
        };
        let (kernel, busybox, modules) = (vm("vmlinuz")?, vm("busybox")?, vm("modules")?);
        let folder = tempfile::tempdir()?;
        let (root, files) = (folder.path().join("root"), folder.path().join("files.cpio"));
        for name in ["proc", "sys", "dev", "tmp", "modules"] {
            fs::create_dir_all(root.join(name))?;
        }
        fs::write(root.join("init"), INIT)?;
        fs::copy(&busybox, root.join("busybox"))?;
        fs::copy(extension, root.join("rightsizer-extension"))?;
        strip(sandbox, &root.join("sandbox"))?;
        for module in fs::read_dir(modules)? {
            let module = module?;
            fs::copy(module.path(), root.join("modules").join(module.file_name()))?;
        }
        for library in libraries(sandbox)?.into_iter().chain(libraries(extension)?) {
            let inside = root.join(library.strip_prefix("/")?);
            fs::create_dir_all(inside.parent().context("a library is not a folder")?)?;
            fs::copy(&library, inside)?;
        }
        let script = format!(
            "'{0}' chmod 755 init && '{0}' find . | '{0}' cpio -o -H newc -F ../files.cpio",
            busybox.display()
        );
        let mut pack = Command::new("sh");
        pack.args(["-c", &script]).current_dir(&root);
        run(pack.stderr(Stdio::null()), "packing the machine's files")?;
        Ok(Self {
            kernel,
            files,
            _folder: folder,
        })
    }
}

/// Debug information takes most of a test's binary, and memory of the machine.
fn strip(from: &Path, to: &Path) -> Result<()> {
    let mut command = Command::new("strip");
    run(command.arg("-o").arg(to).arg(from), "strip (of binutils)")
}

fn run(command: &mut Command, what: &str) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{what} cannot be run"))?;
    ensure!(status.success(), "{what} failed: {status}");
    Ok(())
}

/// The libraries that this binary is linked to, including the loader.
fn libraries(binary: &Path) -> Result<Vec<PathBuf>> {
    let listed = Command::new("ldd").arg(binary).output();
    let listed = listed.context("ldd cannot be run: it comes with the C library")?;
    let text = String::from_utf8(listed.stdout)?;
    let path = |line: &str| {
        let word = line
            .split_ascii_whitespace()
            .find(|word| word.starts_with('/'));
        word.map(PathBuf::from)
    };
    Ok(text.lines().filter_map(path).collect())
}

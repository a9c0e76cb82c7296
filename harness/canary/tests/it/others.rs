//! Canaries are found in what the encoders of others write: the shell's, Python's and Node's.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use coalmine_canary::{Detector, Shape};

use crate::forms::{is_exact, key, mint};

/// A command that reads text and writes it in some form.
const ENCODERS: &[(&str, &[&str])] = &[
    ("base64", &[]),
    ("base64", &["-w0"]),
    ("base32", &[]),
    ("xxd", &[]),
    ("xxd", &["-p"]),
    ("od", &["-A", "x", "-t", "x1"]),
    ("hexdump", &["-C"]),
    ("gzip", &["-c"]),
    ("zstd", &["-c", "-q"]),
    ("openssl", &["base64"]),
    ("rev", &[]),
    ("tr", &["a-z", "A-Z"]),
    ("iconv", &["-f", "utf-8", "-t", "utf-16le"]),
    ("python3", &["-c", "import sys, json; print(json.dumps(sys.stdin.read()))"]),
    ("python3", &["-c", "import sys, urllib.parse as u; print(u.quote(u.quote(sys.stdin.read())))"]),
    ("python3", &["-c", "import sys, html; print(html.escape(sys.stdin.read()))"]),
    ("python3", &["-c", "import sys, zlib; sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read()))"]),
    ("python3", &["-c", "import sys, quopri; quopri.encode(sys.stdin.buffer, sys.stdout.buffer, True)"]),
    (
        "python3",
        &["-c", "import sys, base64 as b; sys.stdout.buffer.write(b.b64encode(b.b64encode(sys.stdin.buffer.read())))"],
    ),
    ("python3", &["-c", PYTHON_ZIP]),
    ("python3", &["-c", PYTHON_MAIL]),
    ("node", &["-e", "process.stdout.write(encodeURIComponent(require('fs').readFileSync(0, 'utf8')))"]),
    ("node", &["-e", "process.stdout.write(require('fs').readFileSync(0).toString('base64url'))"]),
    ("node", &["-e", "process.stdout.write(JSON.stringify(JSON.stringify(require('fs').readFileSync(0, 'utf8'))))"]),
    (
        "node",
        &["-e", "process.stdout.write(require('zlib').gzipSync(require('fs').readFileSync(0)).toString('base64'))"],
    ),
];

const PYTHON_ZIP: &str = "
import sys, io, zipfile
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
    for number, line in enumerate(sys.stdin):
        archive.writestr(f'{number}.xml', line + 'and so on ' * 20)
sys.stdout.buffer.write(buffer.getvalue())
";

const PYTHON_MAIL: &str = "
import sys
from email.mime.text import MIMEText
sys.stdout.write(MIMEText(sys.stdin.read(), 'plain', 'utf-8').as_string())
";

fn run(program: &str, args: &[&str], text: &str) -> Option<Vec<u8>> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(text.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    output.status.success().then_some(output.stdout)
}

#[test]
fn canaries_are_found_in_what_other_encoders_write() {
    let detector = Detector::new(&key());
    let minted: Vec<_> = Shape::ALL.iter().map(|shape| mint(5, 3, *shape)).collect();
    let rows: Vec<String> = minted.iter().map(|(id, text)| format!("{{\"{}\": \"{text}\"}}", id.shape)).collect();
    let text = rows.join("\n") + "\n";
    for (program, args) in ENCODERS {
        let Some(written) = run(program, args, &text) else {
            println!("skipped: {program} {} is not here", args.join(" "));
            continue;
        };
        let sightings = detector.scan(&written);
        for (id, _) in &minted {
            // These tools do to a shape what is not claimed of it.
            let unclaimed = match *program {
                "rev" => matches!(
                    id.shape,
                    Shape::Decimal | Shape::DateTime | Shape::Phone | Shape::Card | Shape::Jwt | Shape::Iban
                ),
                "tr" => id.shape == Shape::Jwt,
                _ => false,
            };
            assert!(unclaimed || is_exact(&sightings, *id), "{} from {program} {}", id.shape, args.join(" "));
        }
    }
}

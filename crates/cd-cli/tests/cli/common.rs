//! What the tests of the binary share.

use std::path::Path;
use std::process::{Command, Output};

/// The binary under test.
pub(crate) fn cd_cli() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cd-cli"));
    command
        .env_remove("CD_DEVICE")
        .env_remove("CD_LOG")
        .env("NO_COLOR", "1");
    command
}

/// Runs the binary in `folder` with arguments separated by blanks.
pub(crate) fn run(folder: &Path, arguments: &str) -> Output {
    cd_cli()
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .output()
        .expect("the binary starts")
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs and demands success.
pub(crate) fn succeed(folder: &Path, arguments: &str) -> String {
    let output = run(folder, arguments);
    assert!(
        output.status.success(),
        "`{arguments}` failed: {}",
        stderr(&output)
    );
    stdout(&output)
}

/// Runs and demands exit code 2 and one message on stderr that holds every one of `parts`.
pub(crate) fn fail_with(folder: &Path, arguments: &str, parts: &[&str]) {
    let output = run(folder, arguments);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "`{arguments}`: {message}");
    assert!(output.stdout.is_empty(), "`{arguments}` wrote to stdout");
    assert_eq!(
        message.matches("error: ").count(),
        1,
        "`{arguments}`: {message}"
    );
    assert!(!message.contains("panicked"), "`{arguments}`: {message}");
    for part in parts {
        assert!(
            message.contains(part),
            "`{arguments}` lacks `{part}`: {message}"
        );
    }
}

/// A tiny experiment: a few seconds from data to report.
pub(crate) const TINY: &str = r#"
name = "tiny"
[dataset]
name = "demo"
train = 60
test = 30
[poison]
rate = 0.2
attack = { name = "badnets" }
[model]
name = "resnet10"
width = 4
[train]
epochs = 3
batch_size = 20
learning_rate = 0.05
schedule = { name = "constant" }
record_losses = 3
[detect]
sample = 40
batch_size = 8
detectors = [{ name = "cd-l", steps = 4 }, { name = "cd-f", steps = 4 }]
[evaluate]
resamples = 100
"#;

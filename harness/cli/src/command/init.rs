//! `coalmine init`: a commented scenario to begin with.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::say;
use crate::args::{InitArgs, Style};
use crate::exit::{Exit, Failed};

/// Writes the starter of the style; an existing file is left alone.
pub(crate) fn run(args: &InitArgs) -> Result<Exit, Failed> {
    let path: &PathBuf = &args.file;
    let written = std::fs::File::create_new(path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, text(args.auth).as_bytes()));
    written.map_err(|e| refused(path, &e))?;
    say("Written", path.display());
    say(
        "Next",
        format_args!(
            "coalmine lint {0} && coalmine try {0} && coalmine gate {0} --target http://127.0.0.1:8080",
            path.display()
        ),
    );
    Ok(Exit::Pass)
}

fn refused(path: &Path, error: &std::io::Error) -> Failed {
    let path = path.display();
    Failed::usage(match error.kind() {
        ErrorKind::AlreadyExists => format!("{path} is there already and is left as it is: name another file"),
        _ => format!("cannot write {path}: {error}"),
    })
}

fn text(style: Style) -> String {
    let auth = match style {
        Style::Bearer => include_str!("starter/bearer.yaml"),
        Style::ApiKey => include_str!("starter/api-key.yaml"),
        Style::Basic => include_str!("starter/basic.yaml"),
        Style::CookieForm => include_str!("starter/cookie-form.yaml"),
        Style::Header => include_str!("starter/header.yaml"),
        Style::None => include_str!("starter/none.yaml"),
    };
    let flows = match style {
        Style::CookieForm => include_str!("starter/forms.yaml"),
        _ => include_str!("starter/flows.yaml"),
    };
    format!("{}{auth}{flows}", include_str!("starter/head.yaml"))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;
    use coalmine_core::Seed;
    use coalmine_plan::{Overrides, Scenario, plan};

    use super::*;

    #[test]
    fn every_starter_is_a_good_scenario() {
        for style in Style::value_variants() {
            let scenario = Scenario::parse(&text(*style), "starter.yaml").unwrap_or_else(|errors| panic!("{errors}"));
            plan(&scenario, Seed(1), 0, &Overrides::default()).unwrap();
        }
    }
}

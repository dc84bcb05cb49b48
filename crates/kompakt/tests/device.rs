//! The option --device and the command `devices`: the choice of device, and the message where there is no
//! such device.
//!
//! With the feature `gpu` and an adapter, answers are compared too; else the test says that they are not.
#![allow(clippy::unwrap_used)]

#[path = "support/program.rs"]
mod program;

use std::{path::PathBuf, process::Output};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/good").join(name)
}

fn kompakt(arguments: &[&str]) -> Output {
    program::program(env!("CARGO_BIN_EXE_kompakt")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn devices_that_are_not_there_are_errors_and_auto_falls_back_aloud() {
    let model = file("perceptron-stream.kompakt");
    let model = model.to_str().unwrap();
    for device in ["gpu:no such GPU", "tpu"] {
        let refused = kompakt(&["run", model, "--plan", "--device", device]);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let said = text(&refused.stderr);
        assert!(said.contains("cpu"), "it says what there is: {said}");
        assert!(refused.stdout.is_empty());
    }
    let auto = kompakt(&["run", model, "--plan", "--device", "auto"]);
    assert!(auto.status.success() && text(&auto.stderr).contains("runs on"), "{auto:?}");
    assert!(text(&auto.stdout).contains("batches of 1"));
    for timeout in ["0", "-1", "soon"] {
        let refused = kompakt(&["run", model, "--plan", &format!("--timeout={timeout}")]);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(text(&refused.stderr).contains("seconds"), "{refused:?}");
    }
}

#[test]
fn a_gpu_answers_as_the_processor() {
    let listed = kompakt(&["devices", "--json"]);
    let all: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap_or_default();
    let Some(name) = all[0]["name"].as_str() else {
        let is_asked_for = cfg!(feature = "gpu") && std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!is_asked_for, "{listed:?}");
        eprintln!("not tested here: no adapter: {}", text(&listed.stderr));
        return;
    };
    assert!(all[0]["max_binding_bytes"].as_u64().unwrap() > 1 << 20);
    assert!(text(&kompakt(&["devices"]).stdout).contains(name));
    let model = file("convolutions-direct.kompakt");
    let model = model.to_str().unwrap();
    let device = format!("gpu:{name}");
    let plan = |more: &[&str]| -> serde_json::Value {
        let run = kompakt(&[&["run", model, "--plan", "--json", "--device", &device], more].concat());
        assert!(run.status.success(), "{run:?}");
        serde_json::from_slice(&run.stdout).unwrap()
    };
    let all = plan(&[])["device"].clone();
    assert_eq!(all["name"], name);
    let total = all["total_bytes"].as_u64().unwrap();
    let too_small = kompakt(&["run", model, "--plan", "--device", &device, "--vram", "1kB"]);
    assert_eq!(too_small.status.code(), Some(2));
    assert!(text(&too_small.stderr).contains("least possible"), "{too_small:?}");
    assert!(
        total > 1000
            && plan(&["--batch", "4"])["device"]["activation_bytes"].as_u64()
                > all["activation_bytes"].as_u64()
    );
    let stream = file("convolutions-stream.kompakt");
    for decode in ["load", "run", "host"] {
        let options =
            ["run", stream.to_str().unwrap(), "--plan", "--json", "--device", &device, "--decode", decode];
        let plan: serde_json::Value = serde_json::from_slice(&kompakt(&options).stdout).unwrap();
        let is_coded = plan["layers"].as_array().unwrap().iter().any(|layer| layer["form"] == "coded");
        assert_eq!(is_coded, decode == "run", "{plan}");
    }
    let bench = kompakt(&["run", model, "--bench", "--rounds", "2", "--json", "--device", &device]);
    let bench: serde_json::Value = serde_json::from_slice(&bench.stdout).unwrap();
    assert_eq!(bench["device"]["name"], name);
    assert!(bench["median_ms"].as_f64().unwrap() > 0.0 && bench["open_ms"].as_f64().unwrap() > 0.0);
    if all_have_timestamps(&listed.stdout) {
        assert!(!bench["steps"].as_array().unwrap().is_empty(), "{bench}");
    }
    // No GPU answers fifty times within a nanosecond.
    let hurried = ["run", model, "--bench", "--rounds", "50", "--device", &device, "--timeout", "1e-9"];
    let hurried = kompakt(&hurried);
    assert!(text(&hurried.stderr).contains("has not answered"), "{hurried:?}");
    assert!(!hurried.status.success() && hurried.stdout.is_empty(), "{hurried:?}");
}

fn all_have_timestamps(listed: &[u8]) -> bool {
    let all: serde_json::Value = serde_json::from_slice(listed).unwrap();
    all.as_array().unwrap().iter().all(|adapter| adapter["timestamps"] == true)
}

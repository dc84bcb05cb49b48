"""The page that says what was measured, and what was not."""


def page(found, settings):
    def number(value, unit=1.0, digits=2):
        return "not measured" if value is None else f"{value / unit:.{digits}f}"

    lines = ["# On a GPU", "", "Made by `cargo xtask bench gpu`, which measures packed networks beside PyTorch (eager f32 and f16, compiled) and ONNX Runtime"]
    lines += ["on the same GPU.", ""]
    if found["software"]:
        lines += [
            f"**Times are not measured**: the last run was on {found['device']}, which is software. Its times say nothing and are left",
            "out; bytes are the same on any GPU. That the answers are right is tested on software (`cargo xtask ci tests`): every operator,",
            "in every tier, to 1e-4 of the largest.",
        ]
    else:
        lines += [f"Measured on {found['device']} ({found['machine']}; PyTorch {found['pytorch']}), engines in turns, {found['rounds']} rounds."]
    titles = {network["name"]: network for network in settings["networks"]}
    lines += [
        "",
        "## Video memory",
        "",
        "Weights are what the plan says for our files (codes, maps, codebooks, biases, parameters of shaders; where layers are decoded at",
        "every run, the tables and one decoded block too), and what the allocator says for PyTorch. Share is of the dense network in f32,",
        "4 bytes a parameter, which is what PyTorch holds. All is weights, values between layers, and staging: by the plan, and by the",
        "allocator (its peak for PyTorch).",
        "",
        "| network | batch | engine | weights MB | dense f32 MB | share | all MB | allocated MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found["results"]:
        network, memory = titles[row["network"]], row.get("memory") or {}
        weights = memory.get("weights")
        share = "not measured" if weights is None else f"{100 * weights / network['dense_bytes']:.1f} %"
        cells = [
            network["title"], str(row["batch"]), row["engine"], number(weights, 1e6), number(network["dense_bytes"], 1e6), share,
            number(memory.get("all"), 1e6), number(memory.get("allocated"), 1e6),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    if not found["software"]:
        lines += [
            "",
            "## Time",
            "",
            "Times are from host memory to host memory, the least of the rounds' medians. Load is reading, decoding and upload (for PyTorch,",
            "the upload alone); start is a new process until its first result.",
            "",
            "| network | batch | engine | ms | load ms | start ms |",
            "|---|---|---|---|---|---|",
        ]
        for row in found["results"]:
            times = min(row["times_ms"]) if row["times_ms"] else None
            cells = [titles[row["network"]]["title"], str(row["batch"]), row["engine"], number(times, digits=3)]
            cells += [number(row.get("load_ms"), digits=1), number(row.get("start_ms"), digits=0)]
            lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "On a machine with a GPU: `cargo xtask bench gpu`; or `cargo xtask bench gpu --prepare` here, and there, in the folder",
        "`target/bench/gpu` carried over, `python3 measure.py`. It ends within six minutes, and leaves `results.json` and this page.",
        "Without one, `cargo xtask bench gpu --dry-run` finds the bytes, on a GPU in software.",
    ]
    if found["missing"]:
        lines += ["", "Not measured:", ""] + [f"- {what}: {why}" for what, why in found["missing"].items()]
    return "\n".join(lines) + "\n"

//! A layout in the words of the programs that train: Megatron-LM, torchtitan and our own run file.

use std::fmt::Write;

use serde::Serialize;

use crate::chips::Precision;
use crate::layout::{Layout, Recompute};
use crate::plan_file::Plan;

/// One layout, three ways.
#[derive(Debug, Clone, Serialize)]
pub struct Flags {
    /// Arguments of Megatron-LM's `pretrain_gpt.py`; Megatron-Bridge takes the same names with underscores.
    pub megatron: String,
    /// Overrides of torchtitan's configuration. It shards weights where Megatron shards only optimiser state.
    pub torchtitan: String,
    /// The `[parallel]` and `[training]` tables of a run file.
    pub run_toml: String,
}

pub fn flags(plan: &Plan<'_>, layout: &Layout) -> Flags {
    Flags {
        megatron: megatron(plan, layout),
        torchtitan: torchtitan(plan, layout),
        run_toml: run_toml(plan, layout),
    }
}

fn megatron(plan: &Plan<'_>, layout: &Layout) -> String {
    let job = &plan.job;
    let mut words = vec![
        format!("--tensor-model-parallel-size {}", layout.tp),
        format!("--pipeline-model-parallel-size {}", layout.pp),
        format!("--context-parallel-size {}", layout.cp),
        format!("--micro-batch-size {}", layout.micro_batch),
        format!("--global-batch-size {}", job.global_batch),
        format!("--seq-length {}", job.seq),
        "--use-distributed-optimizer --overlap-grad-reduce --overlap-param-gather".into(),
    ];
    if layout.sequence_parallel {
        words.push("--sequence-parallel".into());
    }
    if layout.vpp > 1 {
        let per_chunk = (job.shape.layers / f64::from(layout.pp * layout.vpp)).ceil();
        words.push(format!("--num-layers-per-virtual-pipeline-stage {per_chunk}"));
    }
    if layout.pp > 1 && job.shape.layers % f64::from(layout.pp) != 0.0 {
        words.push(
            "--account-for-embedding-in-pipeline-split --account-for-loss-in-pipeline-split".into(),
        );
    }
    if layout.ep > 1 {
        words.push(format!(
            "--expert-model-parallel-size {} --expert-tensor-parallel-size 1",
            layout.ep
        ));
    }
    if layout.zero == 3 {
        words.push(
            "--use-megatron-fsdp --data-parallel-sharding-strategy optim_grads_params".into(),
        );
    }
    words.push(
        match layout.recompute {
            Recompute::None => "",
            Recompute::Selective => "--recompute-granularity selective",
            Recompute::Mlp if job.shape.experts.is_some() => {
                "--recompute-granularity selective --recompute-modules moe mlp"
            }
            Recompute::Mlp => "--recompute-granularity selective --recompute-modules mlp",
            Recompute::Offload => "--cpu-offloading",
            Recompute::Full => {
                "--recompute-granularity full --recompute-method uniform --recompute-num-layers 1"
            }
        }
        .into(),
    );
    words.push(
        match job.precision {
            Precision::Bf16 => "--bf16",
            Precision::Fp8 => "--bf16 --fp8-format hybrid --fp8-recipe tensorwise",
            Precision::Mxfp8 => "--bf16 --fp8-format e4m3 --fp8-recipe mxfp8",
            Precision::Fp4 => "--bf16 --fp4-format e2m1",
        }
        .into(),
    );
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

fn torchtitan(plan: &Plan<'_>, layout: &Layout) -> String {
    let job = &plan.job;
    let mut words = vec![
        format!("--parallelism.tensor_parallel_degree {}", layout.tp),
        format!("--parallelism.pipeline_parallel_degree {}", layout.pp),
        format!("--parallelism.context_parallel_degree {}", layout.cp),
        format!("--parallelism.data_parallel_shard_degree {}", layout.dp),
        format!("--training.local_batch_size {}", layout.micro_batch),
        format!("--training.global_batch_size {}", job.global_batch),
        format!("--training.seq_len {}", job.seq),
    ];
    if layout.pp > 1 {
        let schedule = if layout.vpp > 1 { "Interleaved1F1B" } else { "1F1B" };
        words.push(format!("--parallelism.pipeline_parallel_schedule {schedule}"));
    }
    if layout.ep > 1 {
        words.push(format!("--parallelism.expert_parallel_degree {}", layout.ep));
    }
    let mode = match layout.recompute {
        Recompute::None | Recompute::Offload => "none",
        Recompute::Selective | Recompute::Mlp => "selective",
        Recompute::Full => "full",
    };
    words.push(format!("--activation_checkpoint.mode {mode}"));
    words.join(" ")
}

fn run_toml(plan: &Plan<'_>, layout: &Layout) -> String {
    let job = &plan.job;
    let recompute = format!("{:?}", layout.recompute).to_lowercase();
    let mut out = String::new();
    let _ = write!(
        out,
        "[training]\nsequence = {}\nglobal_batch = {}\ntokens = {:e}\nprecision = \"{}\"\n\n[parallel]\ntp = {}\npp = {}\n\
         vpp = {}\ndp = {}\ncp = {}\nep = {}\nmicro_batch = {}\nrecompute = \"{recompute}\"\nzero = {}\n",
        job.seq,
        job.global_batch,
        plan.tokens,
        job.precision.name(),
        layout.tp,
        layout.pp,
        layout.vpp,
        layout.dp,
        layout.cp,
        layout.ep,
        layout.micro_batch,
        layout.zero
    );
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{constants, plan_file};

    #[test]
    fn the_run_file_reads_back_as_the_layout() {
        let text = "[model]\nlayers=32\nhidden=4096\nheads=32\nvocab=32000\nffn=11008\n[training]\ntokens=1e12\n\
                    sequence=4096\nglobal_batch=512\n[cluster]\nchip=\"H100\"\nchips=64\n";
        let file = plan_file::parse(text, "t").unwrap();
        let plan = file.resolve(Path::new("."), constants::fitted()).unwrap();
        let best = crate::search::search(&plan, 1, true).unwrap().best.remove(0);
        let flags = flags(&plan, &best.layout);
        let table: toml::Table = toml::from_str(&flags.run_toml).unwrap();
        let parallel = table["parallel"].as_table().unwrap();
        assert_eq!(parallel["dp"].as_integer(), Some(i64::from(best.layout.dp)));
        assert_eq!(table["training"]["tokens"].as_float(), Some(1e12));
        assert!(flags.megatron.contains("--micro-batch-size") && !flags.megatron.contains("  "));
    }
}

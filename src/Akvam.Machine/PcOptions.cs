using Akvam.Machine.Devices;

namespace Akvam.Machine;

/// <summary>What a small PC is made of.</summary>
public sealed record PcOptions
{
    /// <summary>The guest's memory in MiB, at least 2.</summary>
    public required int MemoryMegabytes { get; init; }

    /// <summary>The number of processors, at least 1.</summary>
    public int Cpus { get; init; } = 1;

    /// <summary>Where the serial port's input comes from.</summary>
    public required ISerialInput SerialInput { get; init; }

    /// <summary>Takes what the serial port sends.</summary>
    public required Action<byte> SerialOutput { get; init; }

    /// <summary>Takes what guests write to the debug console ports.</summary>
    public Action<byte> DebugOutput { get; init; } = static _ => { };

    /// <summary>The clock of the devices outside the KVM core.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>What executes guest code: one of <see cref="VmOptions.EngineNames"/>; null: as <see cref="VmOptions"/> has it.</summary>
    public string? Engine { get; init; }

    /// <summary>A folder for files with the guest and host code of each translated block; null: as <see cref="VmOptions"/> has it.</summary>
    public string? DumpBlocks { get; init; }

    /// <summary>Makes the whole machine, with the KVM core, deterministic: all of its time is this. Null: the host's time.</summary>
    public VirtualTime? VirtualTime { get; init; }

    /// <summary>Keeps a copy of each translation for <see cref="Vcpu.DescribeTranslation"/>.</summary>
    public bool KeepTranslations { get; init; }

    /// <summary>Takes a line for each event, or null.</summary>
    public EventTrace? Trace { get; init; }
}

using Iced.Intel;

namespace Akvam.Cpu;

/// <summary>
/// Which instructions with an operand in memory the kernel's KVM can emulate, where it has to (<see cref="ProcessorQuirks.SmallerAddresses"/>): integer ones, and moves
/// of vectors. [KVM 7.24 KVM_CAP_EXIT_ON_EMULATION_FAILURE]
/// </summary>
internal static class KernelEmulator
{
    private static readonly CpuidFeature[] s_integer =
    [
        CpuidFeature.INTEL8086, CpuidFeature.INTEL8086_ONLY, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386, CpuidFeature.INTEL486, CpuidFeature.X64,
        CpuidFeature.CMOV, CpuidFeature.CX8, CpuidFeature.CMPXCHG16B, CpuidFeature.MOVBE, CpuidFeature.FXSR, CpuidFeature.CLFSH, CpuidFeature.CLFLUSHOPT,
    ];

    private static readonly Mnemonic[] s_others =
    [
        Mnemonic.Movaps, Mnemonic.Movapd, Mnemonic.Movups, Mnemonic.Movupd, Mnemonic.Movdqa, Mnemonic.Movdqu, Mnemonic.Movq, Mnemonic.Movntps, Mnemonic.Movntpd, Mnemonic.Movntdq,
        Mnemonic.Movntq, Mnemonic.Movnti, Mnemonic.Fnstcw, Mnemonic.Fnstsw, Mnemonic.Ldmxcsr, Mnemonic.Stmxcsr, Mnemonic.Prefetchnta, Mnemonic.Prefetcht0, Mnemonic.Prefetcht1,
        Mnemonic.Prefetcht2, Mnemonic.Prefetchw,
    ];

    /// <summary>True if it can emulate the next instruction, or there is none.</summary>
    public static bool Knows(Processor processor)
    {
        const int LongestInstruction = 15;
        byte[] code = new byte[LongestInstruction];
        int size = processor.ReadCode(code);
        var decoder = Decoder.Create(16 << processor.CodeSize, code[..size]);
        decoder.Decode(out Instruction instruction);
        return instruction.IsInvalid || Array.IndexOf(s_others, instruction.Mnemonic) >= 0
            || Array.TrueForAll(instruction.CpuidFeatures, feature => Array.IndexOf(s_integer, feature) >= 0);
    }
}

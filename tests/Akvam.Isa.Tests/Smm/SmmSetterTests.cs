using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Smm;

/// <summary>RSM loads control and debug registers through the setters that MOV, WRMSR and the client use: what those refuse shuts down, what they take is loaded.</summary>
/// <remarks>Valid for the machines each test makes.</remarks>
public sealed unsafe class SmmSetterTests
{
    private delegate bool Setter(CpuState* s, ulong value);

    private delegate ulong Getter(CpuState* s);

    [Fact]
    public void Seed3_7_CR0() => Compare(0xFF58, Cr0.ET, ControlRegisters.TrySetCr0, s => s->Cr0, accepted: 9);

    [Fact]
    public void Seed3_7_CR0_with_cache_disabled_and_protection() => Compare(0xFF58, Cr0.ET | Cr0.CD | Cr0.PE, ControlRegisters.TrySetCr0, s => s->Cr0, accepted: 11);

    [Fact]
    public void Seed3_7_CR3() => Compare(0xFF50, 0, ControlRegisters.TrySetCr3, s => s->Cr3, accepted: 12);

    [Fact]
    public void Seed3_7_CR4() => Compare(0xFF48, 0, ControlRegisters.TrySetCr4, s => s->Cr4, accepted: 9);

    [Fact]
    public void Seed3_7_EFER() => Compare(0xFED0, 0, (s, value) => ControlRegisters.TrySetEfer(s, value & ~Efer.LMA), s => s->Efer, accepted: 3);

    [Fact]
    public void Seed3_7_DR6() => Compare(0xFF68, 0, ControlRegisters.TrySetDr6, s => s->Dr6, accepted: 32);

    [Fact]
    public void Seed3_7_DR7() => Compare(0xFF60, 0, ControlRegisters.TrySetDr7, s => s->Dr7, accepted: 32);

    /// <summary>Each single bit on top of <paramref name="common"/>, in real mode; <paramref name="accepted"/>: at least so many are taken, and some are not.</summary>
    private static void Compare(int offset, ulong common, Setter set, Getter get, int accepted)
    {
        int taken = 0;
        for (int bit = 0; bit < 64; bit++)
        {
            ulong value = common | 1ul << bit;
            using var direct = new SmmMachine();
            bool allowed = set(direct.S, value);
            using var m = new SmmMachine();
            m.EnterSmm();
            m.Image<ulong>(offset) = value;
            Assert.True(m.Run(1) == (allowed ? RunResult.Limit : RunResult.Shutdown), $"bit {bit}");
            Assert.True(!allowed || get(m.S) == get(direct.S), $"bit {bit}: {get(m.S):x}, not {get(direct.S):x}");
            taken += allowed ? 1 : 0;
        }

        Assert.InRange(taken, accepted, 63);
    }
}

using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Smm;

/// <summary>RSM with an image that describes no legal state: shutdown, outside SMM. [APM2 10.3.3]</summary>
/// <remarks>Valid for the machine each test makes.</remarks>
public sealed unsafe class SmmFailureTests
{
    /// <summary>Mode, offset in the 64-bit image, bits to set, bits to clear.</summary>
    public static TheoryData<string, GuestMode, int, ulong, ulong> BadImages() => new()
    {
        { "CR0 PG without PE", GuestMode.Long, 0xFF58, 0, Cr0.PE },
        { "CR0 NW without CD", GuestMode.Long, 0xFF58, Cr0.NW, Cr0.CD },
        { "CR0 high half", GuestMode.Real, 0xFF58, 1ul << 32, 0 },
        { "CR4 reserved bit", GuestMode.Real, 0xFF48, 1ul << 31, 0 },
        { "CR4 high half", GuestMode.Real, 0xFF48, 1ul << 40, 0 },
        { "CR4.VMXE without VMX", GuestMode.Real, 0xFF48, Cr4.VMXE, 0 },
        { "CR4.PCIDE without long mode", GuestMode.Protected32Paged, 0xFF48, Cr4.PCIDE, 0 },
        { "long mode without CR4.PAE", GuestMode.Long, 0xFF48, 0, Cr4.PAE },
        { "EFER reserved bit", GuestMode.Real, 0xFED0, 1ul << 2, 0 },
        { "EFER.SVME without SVM", GuestMode.Real, 0xFED0, Efer.SVME, 0 },
        { "DR6 high half", GuestMode.Real, 0xFF68, 1ul << 32, 0 },
        { "DR7 high half", GuestMode.Real, 0xFF60, 1ul << 63, 0 },
        { "CR3 beyond MAXPHYADDR", GuestMode.Long, 0xFF50, 1ul << 50, 0 },
        { "PDPTEs unreadable", GuestMode.Pae, 0xFF50, 1ul << 30, 0 },
        { "SVM guest without SVM", GuestMode.Long, 0xFED8, 1, 0 },
    };

    [Theory]
    [MemberData(nameof(BadImages))]
    public void Seed_2_1_and_2_2_a_bad_image_shuts_down_outside_SMM(string what, GuestMode mode, int offset, ulong set, ulong clear)
    {
        using var m = new SmmMachine(mode);
        m.EnterSmm();
        ref ulong field = ref m.Image<ulong>(offset);
        field = (field | set) & ~clear;
        Assert.True(m.Run(1) == RunResult.Shutdown, what);
        Assert.Equal(0, m.S->InSmm);
        Assert.Equal(0, m.S->NmiMasked);
        Assert.Equal(0, m.S->TripleFault);
        Assert.Contains("leaving SMM", m.Trace[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Seed_2_2_shutdown_keeps_the_recorded_NMI_mask()
    {
        using var m = new SmmMachine();
        m.S->NmiMasked = 1;
        m.EnterSmm();
        m.Image<ulong>(0xFF58) = 1ul << 32;
        Assert.Equal(RunResult.Shutdown, m.Run(1));
        Assert.Equal(1, m.S->NmiMasked);
    }

    [Fact]
    public void G4_PDPTE_reserved_bits_shut_down()
    {
        using var m = new SmmMachine(GuestMode.Pae);
        m.EnterSmm();
        *(ulong*)(m.Inner.Ram + ModeSetup.Tables + 0x1000) |= 6;
        Assert.Equal(RunResult.Shutdown, m.Run(1));
    }

    [Fact]
    public void D2_an_unreadable_image_shuts_down_outside_SMM()
    {
        using var m = new SmmMachine();
        m.EnterSmm();

        // The handler runs from RAM below, because SMRAM disappears under it.
        m.S->Cs.Base = 0;
        m.S->Rip = SmmMachine.Rip;
        new byte[] { 0x0F, 0xAA }.CopyTo(m.Inner.Memory[(int)SmmMachine.Rip..]);
        m.MapSmram(false);
        Assert.Equal(RunResult.Shutdown, m.Run(1));
        Assert.Equal(0, m.S->InSmm);
        Assert.Equal(0, m.S->NmiMasked);
    }

    [Fact]
    public void Seed_2_5_an_INIT_latched_in_SMM_acts_after_the_failed_RSM()
    {
        using var m = new SmmMachine();
        m.EnterSmm();
        m.S->InitPending = 1;
        Assert.Equal(RunResult.Limit, m.Run(0));
        Assert.Equal(1, m.S->InSmm);
        m.Image<ulong>(0xFF58) = 1ul << 32;
        m.Run(1);
        m.Run(0);
        Assert.Equal(0xFFF0ul, m.S->Rip);
        Assert.Equal(0xFFFF_0000ul, m.S->Cs.Base);
        Assert.Equal(0, m.S->InSmm);
    }

    [Fact]
    public void Seed_2_3_every_image_either_loads_or_shuts_down()
    {
        var random = new Random(20210609);
        int shutdowns = 0;
        for (int n = 0; n < 300; n++)
        {
            using var m = new SmmMachine(GuestMode.Long, longMap: n % 3 != 0);
            m.EnterSmm();
            for (int k = random.Next(1, 20); k > 0; k--)
            {
                m.Image<byte>(0xFE00 + random.Next(512)) = (byte)random.Next(256);
            }

            ulong retired = m.S->Retired;
            RunResult result = m.Run(1);
            Assert.True(result is RunResult.Limit or RunResult.Shutdown or RunResult.Halted, $"image {n}: {result}");
            Assert.Equal(retired + 1, m.S->Retired);
            Assert.Equal(0, m.S->InSmm);
            shutdowns += result == RunResult.Shutdown ? 1 : 0;
        }

        Assert.InRange(shutdowns, 10, 290);
    }

    [Fact]
    public void Seed_3_7_RSM_and_MOV_CR4_judge_alike()
    {
        for (int bit = 0; bit < 64; bit++)
        {
            ulong value = (1ul << bit) | Cr4.PAE;
            using var direct = new SmmMachine();
            bool allowed = ControlRegisters.TrySetCr4(direct.S, value);
            using var m = new SmmMachine();
            m.EnterSmm();
            m.Image<ulong>(0xFF48) = value;
            Assert.Equal(allowed ? RunResult.Limit : RunResult.Shutdown, m.Run(1));
            if (allowed)
            {
                Assert.Equal(value, m.S->Cr4);
            }
        }
    }
}

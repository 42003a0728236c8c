using Akvam.Cpu.State;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Isa.Tests.Translator;

/// <summary>
/// Both engines on programs of 16- and 32-bit code, in every mode that has some: with flat data, and with segments of many bases, limits and types, which accesses now
/// and then pass. AKVAM_FUZZ sets the number of programs, AKVAM_SEED the first seed.
/// </summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class SegmentedLockstepTests
{
    private const uint Code = 0x1_0000, Data = 0x2_0000, Start = 0x100;

    [Theory]
    [InlineData(GuestMode.Real)]
    [InlineData(GuestMode.BigReal)]
    [InlineData(GuestMode.Virtual8086)]
    [InlineData(GuestMode.Protected16)]
    [InlineData(GuestMode.Protected32)]
    [InlineData(GuestMode.Protected32Paged)]
    [InlineData(GuestMode.Pae)]
    [InlineData(GuestMode.Compatibility16)]
    [InlineData(GuestMode.Compatibility32)]
    public void Generated_programs(GuestMode mode)
    {
        int programs = LockstepTests.Setting("AKVAM_FUZZ", 400), first = LockstepTests.Setting("AKVAM_SEED", 1);
        using var both = new Lockstep();
        long retired = 0;
        for (int n = 0; n < programs; n++)
        {
            int seed = first + n;
            both.Set(m => Prepare(m, mode, seed));
            LockstepTests.Check(both.Run(seed % 3 == 0 ? 500ul : 20_000, out _), seed);
            retired += (long)both.Translated.State->Retired;
        }

        Assert.True(retired > programs * 20, $"{retired} instructions: the programs do nothing");
        Assert.True(both.Translated.Processor.TranslatorStatistics.Blocks > programs, "nothing was translated");
    }

    /// <summary>A CALL that ends where CS does pushes an address beyond it: the RET faults, and has popped nothing.</summary>
    [Fact]
    public void Return_beyond_the_end_of_CS()
    {
        using var both = new Lockstep();
        both.Set(m =>
        {
            const uint Call = 0xFFFA, First = 0x200;
            m.Memory.Clear();
            ModeSetup.Enter(m, GuestMode.Real, First);
            m.State->Retired = 0;
            m.State->Cs.Base = Code;
            m.State->Cs.Selector = (ushort)(Code >> 4);
            ControlRegisters.Reloaded(m.State);

            // Each way is gone once before, so that host code goes it by itself: mov cx, 1; call dword 100h; mov cx, 3; jmp 0FFFAh. There: call dword 100h.
            // (100h) dec cx; jz 109h; add sp, 4; jmp 0FFFAh; (109h) ret of 32 bits.
            ((ReadOnlySpan<byte>)[0xB9, 1, 0, 0x66, 0xE8, 0xF7, 0xFE, 0xFF, 0xFF, 0xB9, 3, 0, 0xE9, 0xEB, 0xFD]).CopyTo(m.Memory[(int)(Code + First)..]);
            ((ReadOnlySpan<byte>)[0x66, 0xE8, 0x00, 0x01, 0xFF, 0xFF]).CopyTo(m.Memory[(int)(Code + Call)..]);
            ((ReadOnlySpan<byte>)[0x49, 0x74, 0x06, 0x83, 0xC4, 0x04, 0xE9, 0xF1, 0xFE, 0x66, 0xC3]).CopyTo(m.Memory[(int)(Code + Start)..]);
        });
        LockstepTests.Check(both.Run(100, out _), 0);

        // The frame of #GP has the RET.
        ulong sp = both.Translated.State->Gpr[Register.Rsp];
        Assert.Equal((int)Start + 9, both.Translated.Memory[(int)sp] | (both.Translated.Memory[(int)sp + 1] << 8));
    }

    private static void Prepare(TestMachine m, GuestMode mode, int seed)
    {
        var random = new Random(seed);
        m.Memory.Clear();
        ModeSetup.Enter(m, mode, Code);
        CpuState* s = m.State;
        s->Retired = 0;
        bool wide = mode is GuestMode.Protected32 or GuestMode.Protected32Paged or GuestMode.Pae or GuestMode.Compatibility32, flat = wide && random.Next(2) == 0;
        random.NextBytes(m.Memory.Slice((int)Data, 3 << 14));
        LockstepTests.FillRegisters(s, random);
        s->Gpr[Register.Rbx] = 0x200;
        s->Gpr[Register.Rbp] = 0x1000;
        s->Gpr[Register.Rdi] = 1;
        s->Gpr[Register.Rsp] = 0x7000;
        uint rip = Start;
        if (flat)
        {
            rip = Code;
            s->Gpr[Register.Rbx] += Data;
            s->Gpr[Register.Rbp] += Data;
        }
        else
        {
            rip = wide ? rip : random.Next(4) == 0 ? 0xFF00u : rip;
            s->Rip = rip;
            s->Cs.Base = Code;
            s->Cs.Selector = mode is GuestMode.Real or GuestMode.BigReal or GuestMode.Virtual8086 ? (ushort)(Code >> 4) : s->Cs.Selector;
            foreach (nint register in (nint[])[(nint)(&s->Ds), (nint)(&s->Es), (nint)(&s->Fs), (nint)(&s->Ss)])
            {
                Segment((SegmentRegister*)register, random, mode);
            }
        }

        if (wide && random.Next(3) == 0)
        {
            // What 64-bit code left there.
            s->Gpr[Register.Rbx] |= 0x5555ul << 32;
            s->Gpr[Register.Rsp] |= 0x1234ul << 32;
        }

        ControlRegisters.Reloaded(s);
        byte[] program = SegmentedGenerator.Make(seed, wide ? 32 : 16, rip);
        program.CopyTo(m.Memory[(int)(flat ? rip : Code + rip)..]);
    }

    private static void Segment(SegmentRegister* r, Random random, GuestMode mode)
    {
        r->Base = Data + (ulong)(random.Next(3) * 0x1000);
        bool loose = mode is GuestMode.Real or GuestMode.BigReal or GuestMode.Virtual8086;
        r->Limit = random.Next(5) switch
        {
            0 => 0x2FFF,
            1 => mode == GuestMode.Real ? 0xFFFF : uint.MaxValue,
            _ => 0xFFFF,
        };
        if (loose)
        {
            r->Selector = (ushort)(r->Base >> 4);
            return;
        }

        const ushort ReadOnly = 0x91, ExpandDown = 0x97, ReadableCode = 0x9B;
        int kind = random.Next(12);
        if (kind < 3)
        {
            r->Attributes = (ushort)((r->Attributes & 0xFF00) | (kind == 0 ? ReadOnly : kind == 1 ? ExpandDown : ReadableCode));
            r->Limit = kind == 1 ? 0xFFu : r->Limit;
        }
    }
}

using System.Runtime.InteropServices;
using System.Text;
using Akvam.Cpu;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using static Akvam.Tests.Cpu.SystemMachine;

namespace Akvam.Tests.Cpu;

/// <summary>
/// Events and IRETQ whose tables and stacks are in the TLB have a way of their own. Each of many random cases, most of them with something out of the ordinary, is
/// executed twice: after a flush, when everything is looked at step by step, and as the second of two. Both have to end in the same state.
/// </summary>
public sealed unsafe class WarmDeliveryTests : IDisposable
{
    private const int Cases = 1000, Table = 0x23000, Used = 0x10000, Restored = 0x24000, Frame = 0x7000;
    private const ulong Unmapped = 0x30_0000;
    private static readonly byte[] s_int40 = [0xCD, 0x40], s_iretq = [0x48, 0xCF], s_load = [0x8A, 0x03], s_ud2 = [0x0F, 0x0B];
    private readonly SystemMachine _machine = Long();
    private readonly byte[] _memory;
    private readonly byte[] _before = new byte[Restored];
    private readonly CpuState _state;

    public WarmDeliveryTests()
    {
        _machine.Write64(Tables + 0x2000, Table | 7);
        _memory = _machine.Memory[..Restored].ToArray();
        _state = *_machine.State;
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("#UD")]
    [InlineData("#PF")]
    [InlineData("IRETQ")]
    public void Warm_and_cold_end_alike(string kind)
    {
        int handled = 0;
        for (int seed = 0; seed < Cases; seed++)
        {
            Prepare(new Random(seed), kind);
            CpuState start = *_machine.State;
            _machine.Memory[..Restored].CopyTo(_before);
            _machine.Processor.Run(1);

            Restore(start);
            _machine.Processor.Run(1);
            string warm = Describe();

            Restore(start);
            TlbControl.FlushAll(_machine.State);
            _machine.Processor.Run(1);
            string cold = Describe();
            Assert.True(cold == warm, $"{kind}, seed {seed}:\ncold {cold}\nwarm {warm}");
            handled += _machine.State->Rip == (ulong)Expected(kind) ? 1 : 0;
        }

        // The cases are worth something only if many of them are ordinary.
        Assert.InRange(handled, Cases / 10, Cases - (Cases / 10));
    }

    public void Dispose() => _machine.Dispose();

    private static int Expected(string kind) => kind switch
    {
        "INT" => Handler(0x40),
        "#UD" => Handler(6),
        "#PF" => Handler(14),
        _ => Code + 0x100,
    };

    /// <summary>The epoch goes on: code that is in memory now is compared with what was executed before.</summary>
    private void Restore(in CpuState state)
    {
        uint epoch = _machine.State->Epoch;
        *_machine.State = state;
        _machine.State->Epoch = epoch;
        _before.CopyTo(_machine.Memory);
    }

    private void Prepare(Random r, string kind)
    {
        SystemMachine m = _machine;
        CpuState* s = m.State;
        _memory.CopyTo(_before.AsSpan());
        Restore(_state);
        int cpl = r.Next(2) * 3;

        // Pages of 4 KiB, so that rights are given page by page: users have code and stack.
        for (int n = 0; n < 512; n++)
        {
            m.Write64(Table + (n * 8), ((ulong)n << 12) | 0x63 | (cpl == 3 && n is >= 6 and <= 8 ? 4u : 0));
        }

        m.Level(cpl, cpl == 0 ? Code64 : Code64User, cpl == 0 ? Data0 : Data3);
        s->Gpr[Akvam.Cpu.State.Register.Rbx] = Unmapped;
        s->Gpr[Akvam.Cpu.State.Register.Rsp] = Pick(r, Stack, Stack - 8, Stack - 5, Stack + 16, 0x5020, 0x8000_0000_0000, 0x7F0);
        s->SystemFlags = Rflags.Fixed | ((ulong)r.Next() & (Rflags.IF | Rflags.DF | Rflags.IOPL | Rflags.ID | Rflags.AC)) | (Rare(r) ? Rflags.NT : 0);
        s->FlagResult = Pick(r, 0, 0x100, ulong.MaxValue, 7);
        s->FlagAux = (ulong)r.NextInt64() & 0xC000_0000_0001_FF08;
        s->Cr0 |= Rare(r) ? Cr0.WP | Cr0.AM : 0;
        s->Cr4 |= r.Next(4) == 0 ? Cr4.SMAP | Cr4.SMEP : 0;
        byte[] code = kind switch { "INT" => s_int40, "#UD" => s_ud2, "#PF" => s_load, _ => s_iretq };
        code.CopyTo(m.Memory[Code..]);
        if (kind == "IRETQ")
        {
            PrepareFrame(r, cpl);
        }
        else
        {
            PrepareGate(r, (Expected(kind) - Handlers) / 16);
        }

        // A page with a stack or a table that somebody may not write, or nobody see.
        if (Rare(r))
        {
            int page = (int)Pick(r, 1, 2, 3, 4, 5, 6, 7);
            ulong entry = ((ulong)page << 12) | Pick(r, 0x66, 0x65, 0x67, 0x63, 0x07);
            m.Write64(Table + (page * 8), entry);
        }

        if (Rare(r))
        {
            s->DataBreakpoints = 1;
            s->Dr7 = 0x400 | (3u << 16) | 1;
            s->Dr[0] = 0x10;
        }

        Processor.UpdateMode(s);
        TlbControl.FlushAll(s);
    }

    private void PrepareGate(Random r, int vector)
    {
        SystemMachine m = _machine;
        int selector = (int)Pick(r, Code64, Code64, Code64, Code64, Code64, Code64User, Conforming, Code0, 0, 4, Code64 | 4, Code64 | 3, OtherLdt);
        int access = (int)Pick(r, 0xEE, 0xEE, 0xEE, 0xEF, 0xEF, 0x8E, 0x6E, 0xEC, 0xFE);
        m.SetGate64(vector, Gate(selector, (uint)Handler(vector), access, Rare(r) ? 1 : 0), Rare(r) ? 0x8000u : 0);
        m.Write64(Tss + 0x24, Ring1Stack);
        m.Write64(Tss + 4, Pick(r, InnerStack, InnerStack, InnerStack - 9, 0x6010, 0x9000_0000_0000));
        if (Rare(r))
        {
            m.SetDescriptor(Code64, Segment(0, 0xFFFFF, (int)Pick(r, 0x9A, 0x9F, 0xBB, 0xFB, 0x1B, 0x93), (int)Pick(r, 0xA, 0x2, 0xE, 0xC)));
        }

        m.State->IdtLimit = Rare(r) ? (ushort)((vector * 16) + r.Next(17)) : m.State->IdtLimit;
        m.State->GdtLimit = Rare(r) ? (ushort)(Code64 + r.Next(8)) : m.State->GdtLimit;
        m.State->Tr.Limit = Rare(r) ? (uint)r.Next(16) : m.State->Tr.Limit;
    }

    private void PrepareFrame(Random r, int cpl)
    {
        SystemMachine m = _machine;
        bool outer = cpl == 3 || r.Next(2) == 0;
        m.State->Gpr[Akvam.Cpu.State.Register.Rsp] = Pick(r, Frame, Frame, Frame + 3, 0x6FE0, 0x9000_0000_0000);
        Span<ulong> frame =
        [
            Rare(r) ? 0x8000_0000_0000ul : Code + 0x100,
            Rare(r) ? Pick(r, Code64, Code0, Code3, 0, Code64 | 4, Conforming, Data0) : outer ? Code64User : Code64,
            (ulong)r.Next() & ~(Rflags.TF | Rflags.NT),
            (ulong)Stack - 0x21,
            Rare(r) ? Pick(r, 0, 1, 3, Data0, Data3, ReadOnly, AbsentData, Data0 | 4) : outer ? Data3 : Data0,
        ];
        MemoryMarshal.AsBytes(frame).CopyTo(m.Memory[((int)m.State->Gpr[Akvam.Cpu.State.Register.Rsp] & 0x7FFF)..]);
        if (Rare(r))
        {
            m.SetDescriptor(outer ? Code64User : Code64, Segment(0x1000, 0xFFF, (int)Pick(r, 0x9B, 0xFB, 0xFA, 0xFF, 0x7B), (int)Pick(r, 0xA, 0x2, 0xE, 0xC)));
        }

        if (Rare(r))
        {
            m.SetDescriptor(outer ? Data3 : Data0, Segment(0x1000, 0xFFF, (int)Pick(r, 0x93, 0xF3, 0xF2, 0xF1, 0x73), (int)Pick(r, 0x4, 0xC)));
        }

        m.State->NmiMasked = (byte)r.Next(2);
        m.State->GdtLimit = Rare(r) ? (ushort)(0x20 + r.Next(0xA0)) : m.State->GdtLimit;
    }

    private static bool Rare(Random r) => r.Next(8) == 0;

    private static ulong Pick(Random r, params ReadOnlySpan<ulong> values) => values[r.Next(values.Length)];

    private string Describe()
    {
        CpuState* s = _machine.State;
        var text = new StringBuilder($"rip {s->Rip:x} flags {s->SystemFlags:x} {Akvam.Cpu.Flags.LazyFlags.Read(s):x} cpl {s->Cpl} mode {s->Mode} cr2 {s->Cr2:x} dr6 {s->Dr6:x}");
        text.Append($" tags {s->DataTag & TlbTag.WhoMask} {s->SystemTag & TlbTag.WhoMask} {s->CodeTag & TlbTag.WhoMask} {s->SlowWho} {s->AlignmentCheck}");
        text.Append($" events {s->Shadow} {s->NmiMasked} {s->TripleFault} {s->Delivering.Kind} retired {s->Retired} gpr");
        for (int n = 0; n < 16; n++)
        {
            text.Append($" {s->Gpr[n]:x}");
        }

        for (int n = 0; n < 6; n++)
        {
            SegmentRegister g = (&s->Es)[n];
            text.Append($" {n}: {g.Selector:x} {g.Base:x} {g.Limit:x} {g.Attributes:x} {g.Unusable}");
        }

        // A translation that is known sets no accessed bit again: the page tables are left out.
        Span<byte> memory = _machine.Memory[..Used];
        for (int n = 0; n < memory.Length; n++)
        {
            if (memory[n] != _before[n])
            {
                text.Append($" [{n:x}]={memory[n]:x}");
            }
        }

        return text.ToString();
    }
}

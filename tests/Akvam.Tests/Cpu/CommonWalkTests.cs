using Akvam.Cpu;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using static Akvam.Tests.Cpu.SystemMachine;

namespace Akvam.Tests.Cpu;

/// <summary>
/// Page walks that find everything in order have a way of their own, which protection keys close. With keys that allow all, random page tables have to give the same
/// with and without it: access or fault, accessed and dirty bits, and what the TLB holds afterwards.
/// </summary>
public sealed unsafe class CommonWalkTests : IDisposable
{
    private const int Cases = 20_000, Fetches = 2_000, First = 0x24000, Page = 0x40000;
    private const ulong Linear = (5ul << 39) | (6ul << 30) | (7ul << 21) | (64ul << 12);
    private static readonly int[] s_entries = [Tables + (5 * 8), First + (6 * 8), First + 0x1000 + (7 * 8), First + 0x2000 + (64 * 8)];
    private readonly SystemMachine _machine = Long();
    private readonly CpuState _state;
    private int _faults;

    public CommonWalkTests()
    {
        // Jumps to RBX; there, and in the handlers, are endless loops.
        ReadOnlySpan<byte> jump = [0xFF, 0xE3], loop = [0xEB, 0xFE];
        jump.CopyTo(_machine.Memory[Code..]);
        loop.CopyTo(_machine.Memory[Page..]);
        _state = *_machine.State;
    }

    [Fact]
    public void Reads_and_writes()
    {
        for (int seed = 0; seed < Cases; seed++)
        {
            AssertSame(seed, Access(seed, 0), Access(seed, Cr4.PKE));
        }

        Assert.InRange(_faults, Cases / 4, Cases * 7 / 4);
    }

    [Fact]
    public void Fetches_of_code()
    {
        for (int seed = 0; seed < Fetches; seed++)
        {
            AssertSame(seed, Fetch(seed, 0), Fetch(seed, Cr4.PKE));
        }

        Assert.InRange(_faults, Fetches / 4, Fetches * 7 / 4);
    }

    public void Dispose() => _machine.Dispose();

    private static void AssertSame(int seed, string common, string steps) => Assert.True(common == steps, $"seed {seed}:\ncommon {common}\nsteps  {steps}");

    private string Access(int seed, ulong keys)
    {
        var r = new Random(seed);
        CpuState* s = Prepare(r, keys, r.Next(2) * 3);
        s->Fault = default;
        bool done = Mem.Probe(s, Linear + (ulong)r.Next(4096), 1, r.Next(2) == 0 ? AccessKind.Read : AccessKind.Write, system: r.Next(8) == 0);
        _faults += done ? 0 : 1;
        TlbEntry* e = Mem.Entry(s, Linear);
        bool known = e->Read == (Linear | s->DataTag) || e->Read == (Linear | s->SystemTag);
        return $"{done} {s->Fault.Vector} {s->Fault.ErrorCode:x} {s->Fault.Payload:x} tlb {known} {known && e->Write == e->Read} {(known ? e->Addend - (ulong)_machine.Address : 0):x}{Entries()}";
    }

    private string Fetch(int seed, ulong keys)
    {
        var r = new Random(seed);
        int cpl = r.Next(2) * 3;
        CpuState* s = Prepare(r, keys, cpl);
        if (cpl == 0)
        {
            // The supervisor's own code, under SMEP too.
            _machine.Write64(Tables + 0x2000, 0x83);
        }
        else
        {
            s->Cr4 &= ~(Cr4.SMAP | Cr4.SMEP);
        }

        s->Gpr[Akvam.Cpu.State.Register.Rbx] = Linear;
        _machine.Processor.Run(2);
        bool fault = s->Rip == (ulong)Handler(14);
        _faults += fault ? 1 : 0;
        return $"rip {s->Rip:x} cr2 {s->Cr2:x} error {(fault ? _machine.Slot64(0) : 0):x}{Entries()}";
    }

    private string Entries() => string.Concat(s_entries.Select(e => $" {_machine.Read64(e):x}"));

    private CpuState* Prepare(Random r, ulong keys, int cpl)
    {
        SystemMachine m = _machine;
        CpuState* s = m.State;
        uint epoch = s->Epoch;
        *s = _state;
        s->Epoch = epoch;
        m.Write64(Tables + 0x2000, 0x87);
        m.Level(cpl, cpl == 0 ? Code64 : Code64User, cpl == 0 ? Data0 : Data3);
        s->Cr0 |= r.Next(2) == 0 ? Cr0.WP : 0;
        s->Cr4 |= keys | (r.Next(3) == 0 ? Cr4.SMAP : 0) | (r.Next(3) == 0 ? Cr4.SMEP : 0);
        s->Efer |= r.Next(2) == 0 ? Efer.NXE : 0;
        s->SystemFlags |= r.Next(2) == 0 ? Rflags.AC : 0;
        bool user = r.Next(4) != 0, large = r.Next(3) == 0;
        m.Write64(s_entries[0], Entry(r, First, user));
        m.Write64(s_entries[1], Entry(r, First + 0x1000, user));
        m.Write64(s_entries[2], large ? Entry(r, 0, user) | 0x80 : Entry(r, First + 0x2000, user));
        m.Write64(s_entries[3], Entry(r, Page, user));
        Processor.UpdateMode(s);
        TlbControl.FlushAll(s);
        return s;
    }

    /// <summary>Present, writable, accessed and dirty; sometimes with another bit in its low half, or one that may be reserved.</summary>
    private static ulong Entry(Random r, int address, bool user)
    {
        ulong entry = (ulong)address | 0x63 | (user ? 4u : 0);
        return r.Next(15) switch
        {
            0 or 1 or 2 => entry ^ (1ul << r.Next(9)),
            3 => entry | (1ul << r.Next(48, 64)),
            4 => entry | (1ul << r.Next(13, 21)),
            _ => entry,
        };
    }
}

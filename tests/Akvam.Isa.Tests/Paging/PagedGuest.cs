using Akvam.Cpu;
using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Paging;

/// <summary>
/// A guest whose page tables a test builds entry by entry. The first large page is the kernel's (code at <see cref="Kernel"/>), the second shows the same
/// memory to user code. Exceptions stop the run.
/// </summary>
/// <remarks>Valid until disposed.</remarks>
internal sealed unsafe class PagedGuest : IDisposable
{
    public const ulong Kernel = 0xC000, Region = 0x4000_0000, P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100, NX = 1ul << 63;
    private readonly GuestMode _mode;
    private ulong _next = 0x10_0000;

    public PagedGuest(GuestMode mode = GuestMode.Long, bool la57 = false, EngineKind? engine = null)
    {
        _mode = mode;
        M = new TestMachine(16 << 20, engine);
        M.Processor.InterceptedExceptions = uint.MaxValue;
        ModeSetup.Enter(M, mode, Kernel);
        if (mode == GuestMode.Protected32Paged)
        {
            ((uint*)(M.Ram + ModeSetup.Tables + 0x4000))[0] = 0x83;
            ((uint*)(M.Ram + ModeSetup.Tables + 0x4000))[1] = 0x87;
        }
        else
        {
            ((ulong*)(M.Ram + ModeSetup.Tables + 0x2000))[0] = 0x83;
            ((ulong*)(M.Ram + ModeSetup.Tables + 0x2000))[1] = 0x87;
        }

        if (la57)
        {
            ulong top = NewTable();
            *(ulong*)(M.Ram + top) = S->Cr3 | 7;
            S->Cr3 = top;
            S->Cr4 |= Cr4.LA57;
        }

        ControlRegisters.Reloaded(S);
    }

    public TestMachine M { get; }

    public CpuState* S => M.State;

    /// <summary>Where the kernel's code is seen by user code.</summary>
    public ulong UserCode => (_mode == GuestMode.Protected32Paged ? 0x40_0000ul : 0x20_0000) + Kernel;

    public int TopLevel => (S->Cr4 & Cr4.LA57) != 0 ? 5 : _mode == GuestMode.Pae ? 3 : 4;

    /// <summary>A page of zeros.</summary>
    public ulong NewTable()
    {
        ulong table = _next;
        _next += 4096;
        M.Memory.Slice((int)table, 4096).Clear();
        return table;
    }

    /// <summary>The entry of a level (1: page table) that maps an address; upper ones are made as needed, with all rights.</summary>
    public ulong* Entry(ulong linear, int level)
    {
        ulong table = S->Cr3 & 0xF_FFFF_F000;
        for (int l = TopLevel; ; l--)
        {
            ulong index = (linear >> (3 + (9 * l))) & (_mode == GuestMode.Pae && l == 3 ? 3ul : 511);
            ulong* e = (ulong*)(M.Ram + table) + index;
            if (l == level)
            {
                return e;
            }

            if ((*e & 1) == 0)
            {
                *e = NewTable() | (_mode == GuestMode.Pae && l == 3 ? 1ul : 7);
                if (_mode == GuestMode.Pae && l == 3)
                {
                    Assert.True(ControlRegisters.TryLoadPdptes(S, S->Cr3));
                }
            }

            table = *e & 0xF_FFFF_F000;
        }
    }

    /// <summary>Maps a page and gives its entry; level 2 and 3 are large pages.</summary>
    public ulong* Map(ulong linear, ulong physical, ulong flags = P | W | U, int level = 1)
    {
        ulong* e = Entry(linear, level);
        *e = physical | flags | (level > 1 ? PS : 0);
        return e;
    }

    /// <summary>The 32-bit page directory entry of an address.</summary>
    public uint* Pde32(ulong linear) => (uint*)(M.Ram + (S->Cr3 & 0xFFFF_F000)) + (linear >> 22);

    /// <summary>The 32-bit page table entry of an address, with the table made as needed.</summary>
    public uint* Pte32(ulong linear)
    {
        uint* pde = Pde32(linear);
        if ((*pde & 1) == 0 || (*pde & 0x80) != 0)
        {
            *pde = (uint)NewTable() | 7;
        }

        return (uint*)(M.Ram + (*pde & 0xFFFF_F000)) + ((linear >> 12) & 1023);
    }

    public void SetUser(bool user)
    {
        bool code64 = _mode == GuestMode.Long;
        S->Cpl = user ? (byte)3 : (byte)0;
        S->Cs = user
            ? new SegmentRegister { Selector = code64 ? ModeSetup.UserCode64 : ModeSetup.UserCode32, Limit = uint.MaxValue, Attributes = (ushort)(code64 ? 0xA0FB : 0xC0FB) }
            : new SegmentRegister { Selector = code64 ? ModeSetup.Code64 : ModeSetup.Code32, Limit = uint.MaxValue, Attributes = (ushort)(code64 ? 0xA09B : 0xC09B) };
        Processor.UpdateMode(S);
    }

    public bool Ac
    {
        set
        {
            LazyFlags.Write(S, Rflags.Fixed | (value ? Rflags.AC : 0));
            Processor.UpdateMode(S);
        }
    }

    /// <summary>Forgets every translation, as a write of CR4.PGE does.</summary>
    public void Flush() => TlbControl.FlushAll(S);

    /// <summary>Executes one instruction, given as bytes, with the current privilege; the vector of the exception, or null.</summary>
    public Vector? Execute(string code)
    {
        Convert.FromHexString(code).CopyTo(M.Memory[(int)Kernel..]);
        S->Rip = S->Cpl == 3 ? UserCode : Kernel;
        return Step();
    }

    public Vector? Read(ulong linear)
    {
        S->Gpr[Register.Rdi] = linear;
        return Execute("8A07");
    }

    public Vector? Write(ulong linear)
    {
        S->Gpr[Register.Rdi] = linear;
        return Execute("8807");
    }

    /// <summary>Executes the instruction at an address.</summary>
    public Vector? Fetch(ulong linear)
    {
        S->Rip = linear;
        return Step();
    }

    public Vector? Access(AccessKind kind, ulong linear) => kind switch
    {
        AccessKind.Read => Read(linear),
        AccessKind.Write => Write(linear),
        _ => Fetch(linear),
    };

    /// <summary>The byte that a read finds; the read must succeed.</summary>
    public byte Peek(ulong linear)
    {
        Assert.Null(Read(linear));
        return (byte)S->Gpr[Register.Rax];
    }

    public Vector? Step()
    {
        RunResult result = M.Processor.Run(1);
        Assert.True(result is RunResult.Limit or RunResult.Debug or RunResult.Halted, $"{result}");
        return result == RunResult.Debug ? S->Fault.Vector : null;
    }

    public void SetCr4(ulong set, ulong clear = 0)
    {
        S->Cr4 = (S->Cr4 & ~clear) | set;
        ControlRegisters.Reloaded(S);
    }

    /// <summary>Announces all features, as AMD or another vendor, and a width of physical addresses.</summary>
    public void SetCpuid(int physicalBits, bool amd)
    {
        CpuidEntry[] table = CpuidModel.Supported();
        foreach (ref CpuidEntry e in table.AsSpan())
        {
            if (e.Function == 0)
            {
                (e.Ebx, e.Edx, e.Ecx) = amd ? (0x68747541u, 0x69746E65u, 0x444D4163u) : (0x756E6547u, 0x49656E69u, 0x6C65746Eu);
            }
            else if (e.Function == 0x8000_0008)
            {
                e.Eax = (e.Eax & ~0xFFu) | (uint)physicalBits;
            }
        }

        M.Processor.Cpuid.SetEntries(table);
    }

    public void Dispose() => M.Dispose();
}

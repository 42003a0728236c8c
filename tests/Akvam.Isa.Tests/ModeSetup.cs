using Akvam.Cpu.Flags;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests;

/// <summary>Puts a <see cref="TestMachine"/> into a mode: page tables, GDT, IDT and TSS at fixed places below 64 KiB; every vector's handler is a HLT.</summary>
/// <remarks>Valid for the machine it is given.</remarks>
internal static unsafe class ModeSetup
{
    public const ulong Gdt = 0x8000, Idt = 0x9000, Tss = 0xA000, Handlers = 0xB000, Tables = 0x2000;
    public const ushort Code16 = 0x08, Code32 = 0x10, Data = 0x18, Code64 = 0x20, UserCode32 = 0x2B, UserData = 0x33, UserCode64 = 0x3B, TssSelector = 0x40;

    public static void Enter(TestMachine m, GuestMode mode, ulong rip)
    {
        CpuState* s = m.State;
        m.Processor.Reset();
        WriteTables(m, mode);
        s->GdtBase = Gdt;
        s->GdtLimit = 0x5F;
        s->Rip = rip;
        s->Gpr[Register.Rsp] = 0x7000;
        bool longMode = mode is GuestMode.Long or GuestMode.LongUser or GuestMode.Compatibility16 or GuestMode.Compatibility32;
        bool paged = longMode || mode is GuestMode.Pae or GuestMode.Protected32Paged;
        if (mode is GuestMode.Real or GuestMode.BigReal)
        {
            s->Cs = s->Ds = s->Es = s->Ss = s->Fs = s->Gs = new SegmentRegister { Limit = mode == GuestMode.Real ? 0xFFFF : uint.MaxValue, Attributes = 0x93 };
            s->Cs.Limit = 0xFFFF;
            s->IdtLimit = 0x3FF;
        }
        else
        {
            s->Cr0 = Cr0.PE | Cr0.ET | Cr0.NE | (paged ? Cr0.PG : 0);
            s->Cr4 = longMode || mode == GuestMode.Pae ? Cr4.PAE : Cr4.PSE;
            s->Cr3 = mode == GuestMode.Protected32Paged ? Tables + 0x4000 : mode == GuestMode.Pae ? Tables + 0x1000 : Tables;
            s->Efer = longMode ? Efer.LME | Efer.LMA : 0;
            for (int n = 0; n < 4; n++)
            {
                s->Pdpte[n] = n == 0 ? (Tables + 0x2000) | 1 : 0;
            }

            s->IdtBase = Idt;
            s->IdtLimit = (ushort)(longMode ? 0xFFF : 0x7FF);
            s->Tr = new SegmentRegister { Selector = TssSelector, Base = Tss, Limit = 0x2067, Attributes = 0x8B };
            s->Ds = s->Es = s->Ss = s->Fs = s->Gs = new SegmentRegister { Selector = Data, Limit = uint.MaxValue, Attributes = 0xC093 };
            s->Cs = mode switch
            {
                GuestMode.Protected16 or GuestMode.Compatibility16 => new SegmentRegister { Selector = Code16, Limit = 0xFFFF, Attributes = 0x9B },
                GuestMode.Long => new SegmentRegister { Selector = Code64, Limit = uint.MaxValue, Attributes = 0xA09B },
                GuestMode.LongUser => new SegmentRegister { Selector = UserCode64, Limit = uint.MaxValue, Attributes = 0xA0FB },
                _ => new SegmentRegister { Selector = Code32, Limit = uint.MaxValue, Attributes = 0xC09B },
            };
        }

        if (mode == GuestMode.LongUser)
        {
            s->Cpl = 3;
            s->Ds = s->Es = s->Ss = s->Fs = s->Gs = new SegmentRegister { Selector = UserData, Limit = uint.MaxValue, Attributes = 0xC0F3 };
        }

        if (mode == GuestMode.Virtual8086)
        {
            s->Cpl = 3;
            LazyFlags.Write(s, Rflags.VM | Rflags.IOPL | Rflags.Fixed);
            s->Cs = s->Ds = s->Es = s->Ss = s->Fs = s->Gs = new SegmentRegister { Limit = 0xFFFF, Attributes = 0xF3 };
        }

        s->Cr4 |= Cr4.OSFXSR | Cr4.OSXMMEXCPT | (mode is GuestMode.Long or GuestMode.LongUser ? Cr4.OSXSAVE | Cr4.FSGSBASE : 0);
        s->Xcr0 = 7;
        ControlRegisters.Reloaded(s);
    }

    private static void WriteTables(TestMachine m, GuestMode mode)
    {
        byte* ram = m.Ram;
        var gdt = (ulong*)(ram + Gdt);
        ulong[] descriptors = [0, 0x0000_9B00_0000_FFFF, 0x00CF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00AF_9B00_0000_FFFF, 0x00CF_FB00_0000_FFFF, 0x00CF_F300_0000_FFFF, 0x00AF_FB00_0000_FFFF];
        for (int n = 0; n < descriptors.Length; n++)
        {
            gdt[n] = descriptors[n];
        }

        gdt[8] = 0x0000_8B00_0000_2067 | (Tss << 16);
        gdt[9] = 0;

        // 64-bit: PML4 → PDPT → PD with 2 MiB pages. PAE uses the PDPT's successor, 32-bit paging a page of 4 MiB entries.
        *(ulong*)(ram + Tables) = (Tables + 0x1000) | 7;
        *(ulong*)(ram + Tables + 0x1000) = (Tables + 0x2000) | (mode == GuestMode.Pae ? 1ul : 7);
        for (ulong n = 0; n < 512; n++)
        {
            ((ulong*)(ram + Tables + 0x2000))[n] = (n << 21) | 0x87;
        }

        for (uint n = 0; n < 1024; n++)
        {
            ((uint*)(ram + Tables + 0x4000))[n] = (n << 22) | 0x87;
        }

        bool longMode = mode is GuestMode.Long or GuestMode.LongUser or GuestMode.Compatibility16 or GuestMode.Compatibility32;
        for (ulong v = 0; v < 256; v++)
        {
            ram[Handlers + v] = 0xF4;
            ulong at = Handlers + v;
            if (mode is GuestMode.Real or GuestMode.BigReal)
            {
                *(uint*)(ram + (4 * v)) = (uint)at;
            }
            else if (longMode)
            {
                *(ulong*)(ram + Idt + (16 * v)) = (at & 0xFFFF) | ((ulong)Code64 << 16) | 0xEE00_0000_0000 | ((at >> 16) << 48);
                *(ulong*)(ram + Idt + (16 * v) + 8) = 0;
            }
            else
            {
                *(ulong*)(ram + Idt + (8 * v)) = (at & 0xFFFF) | ((ulong)Code32 << 16) | 0xEE00_0000_0000 | ((at >> 16) << 48);
            }
        }

        // Stacks for a change to CPL 0, in both TSS formats.
        new Span<byte>(ram + Tss, 0x68).Clear();
        if (longMode)
        {
            *(ulong*)(ram + Tss + 4) = 0x6800;
        }
        else
        {
            *(uint*)(ram + Tss + 4) = 0x6800;
            *(uint*)(ram + Tss + 8) = Data;
        }

        *(ushort*)(ram + Tss + 0x66) = 0x68;
    }
}

using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Events;

internal static unsafe partial class TaskSwitch
{
    // Offsets of the two TSS formats; the saved part runs from the instruction pointer to the last segment. [SDM3 figures 7-2, 7-10]
    private const int Tss32Size = 104, Tss32Cr3 = 0x1C, Tss32Eip = 0x20, Tss32Eflags = 0x24, Tss32Gpr = 0x28, Tss32Segments = 0x48, Tss32End = 0x60, Tss32Trap = 0x64;
    private const int Tss16Size = 44, Tss16Ip = 0x0E, Tss16Flags = 0x10, Tss16Gpr = 0x12, Tss16Segments = 0x22, Tss16End = 0x2A;

    private static bool IsWide(CpuState* s) => (s->Tr.Type & 8) != 0;

    private static bool ProbeSave(CpuState* s) => IsWide(s)
        ? Mem.Probe(s, (uint)(s->Tr.Base + Tss32Eip), Tss32End - Tss32Eip, AccessKind.Write, system: true)
        : Mem.Probe(s, (uint)(s->Tr.Base + Tss16Ip), Tss16End - Tss16Ip, AccessKind.Write, system: true);

    private static Flow Save(CpuState* s, ulong rip, ulong flags)
    {
        byte* t = stackalloc byte[Tss32Size];
        if (IsWide(s))
        {
            *(uint*)(t + Tss32Eip) = (uint)rip;
            *(uint*)(t + Tss32Eflags) = (uint)flags;
            for (int i = 0; i < 8; i++)
            {
                *(uint*)(t + Tss32Gpr + (i * 4)) = (uint)s->Gpr[i];
            }

            for (int i = 0; i < 6; i++)
            {
                *(uint*)(t + Tss32Segments + (i * 4)) = (&s->Es)[i].Selector;
            }

            return SlowAccess.Store(s, (uint)(s->Tr.Base + Tss32Eip), t + Tss32Eip, Tss32End - Tss32Eip, s->SystemTag);
        }

        *(ushort*)(t + Tss16Ip) = (ushort)rip;
        *(ushort*)(t + Tss16Flags) = (ushort)flags;
        for (int i = 0; i < 8; i++)
        {
            *(ushort*)(t + Tss16Gpr + (i * 2)) = (ushort)s->Gpr[i];
        }

        for (int i = 0; i < 4; i++)
        {
            *(ushort*)(t + Tss16Segments + (i * 2)) = (&s->Es)[i].Selector;
        }

        return SlowAccess.Store(s, (uint)(s->Tr.Base + Tss16Ip), t + Tss16Ip, Tss16End - Tss16Ip, s->SystemTag);
    }

    private static bool Load(CpuState* s, ulong address, bool wide, out TaskImage image)
    {
        image = default;
        byte* t = stackalloc byte[Tss32Size];
        if (!SlowAccess.Load(s, address, t, wide ? Tss32Size : Tss16Size, s->SystemTag))
        {
            return false;
        }

        if (wide)
        {
            image.HasCr3 = true;
            image.Cr3 = *(uint*)(t + Tss32Cr3);
            image.Eip = *(uint*)(t + Tss32Eip);
            image.Eflags = *(uint*)(t + Tss32Eflags);
            image.Ldt = *(ushort*)(t + Tss32End);
            image.DebugTrap = (t[Tss32Trap] & 1) != 0;
            for (int i = 0; i < 8; i++)
            {
                image.Gpr[i] = *(uint*)(t + Tss32Gpr + (i * 4));
            }

            for (int i = 0; i < 6; i++)
            {
                image.Selectors[i] = *(ushort*)(t + Tss32Segments + (i * 4));
            }

            return true;
        }

        // A 16-bit task has no FS and GS (they become null) and leaves the upper halves of the registers undefined: zero here.
        image.Eip = *(ushort*)(t + Tss16Ip);
        image.Eflags = *(ushort*)(t + Tss16Flags);
        image.Ldt = *(ushort*)(t + Tss16End);
        for (int i = 0; i < 8; i++)
        {
            image.Gpr[i] = *(ushort*)(t + Tss16Gpr + (i * 2));
        }

        for (int i = 0; i < 4; i++)
        {
            image.Selectors[i] = *(ushort*)(t + Tss16Segments + (i * 2));
        }

        return true;
    }
}

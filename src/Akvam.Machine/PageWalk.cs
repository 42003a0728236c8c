using System.Buffers.Binary;
using Akvam.Abi;

namespace Akvam.Machine;

/// <summary>Finds the physical address behind a linear one, for reports; permissions do not matter there.</summary>
internal static class PageWalk
{
    private const ulong Present = 1, Large = 0x80, AddressMask = 0x000F_FFFF_FFFF_F000;
    private const ulong Cr0Paging = 1UL << 31, Cr4Pae = 1 << 5, Cr4La57 = 1 << 12, EferLma = 1 << 10;

    /// <summary>Translates, or returns null where nothing is mapped.</summary>
    public static ulong? Translate(Vm vm, in kvm_sregs s, ulong linear, int space)
    {
        if ((s.cr0 & Cr0Paging) == 0)
        {
            return linear & 0xFFFF_FFFF;
        }

        if ((s.efer & EferLma) != 0)
        {
            return Walk(vm, s.cr3 & AddressMask, linear, (s.cr4 & Cr4La57) != 0 ? 5 : 4, space);
        }

        return (s.cr4 & Cr4Pae) != 0
            ? WalkPae(vm, s.cr3 & 0xFFFF_FFE0, linear & 0xFFFF_FFFF, space)
            : WalkLegacy(vm, s.cr3 & 0xFFFF_F000, linear & 0xFFFF_FFFF, space);
    }

    private static ulong? Walk(Vm vm, ulong table, ulong linear, int levels, int space)
    {
        for (int level = levels - 1; level >= 0; level--)
        {
            int shift = 12 + (9 * level);
            ulong entry = Read(vm, table + (((linear >> shift) & 0x1FF) * 8), 8, space);
            if ((entry & Present) == 0)
            {
                return null;
            }

            if (level == 0 || (level <= 2 && (entry & Large) != 0))
            {
                ulong offset = (1UL << shift) - 1;
                return (entry & AddressMask & ~offset) | (linear & offset);
            }

            table = entry & AddressMask;
        }

        return null;
    }

    private static ulong? WalkPae(Vm vm, ulong pointers, ulong linear, int space)
    {
        ulong entry = Read(vm, pointers + ((linear >> 30) * 8), 8, space);
        return (entry & Present) == 0 ? null : Walk(vm, entry & AddressMask, linear, 2, space);
    }

    private static ulong? WalkLegacy(Vm vm, ulong directory, ulong linear, int space)
    {
        ulong entry = Read(vm, directory + ((linear >> 22) * 4), 4, space);
        if ((entry & Present) == 0)
        {
            return null;
        }

        if ((entry & Large) != 0)
        {
            // PSE-36: bits 20:13 are address bits 39:32.
            return (entry & 0xFFC0_0000) | ((entry >> 13 & 0xFF) << 32) | (linear & 0x3F_FFFF);
        }

        entry = Read(vm, (entry & 0xFFFF_F000) + (((linear >> 12) & 0x3FF) * 4), 4, space);
        return (entry & Present) == 0 ? null : (entry & 0xFFFF_F000) | (linear & 0xFFF);
    }

    /// <summary>An entry, or one that is not present where there is no memory.</summary>
    private static ulong Read(Vm vm, ulong address, int size, int space)
    {
        Span<byte> bytes = stackalloc byte[8];
        bytes.Clear();
        try
        {
            vm.ReadMemory(address, bytes[..size], space);
        }
        catch (KvmException)
        {
            return 0;
        }

        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }
}

using System.Buffers.Binary;
using Akvam.Abi;

namespace Akvam.KvmTests;

/// <summary>64-bit mode for a guest: the first 2 MiB mapped one to one, page tables at 2000h to 4FFFh.</summary>
internal static class LongMode
{
    private const ulong Pml4 = 0x2000, Pdpt = 0x3000, Pd = 0x4000;

    public static kvm_sregs Sregs(Guest guest, int cpl, bool nullStack = false)
    {
        const ulong User = 7;
        WriteEntry(guest, Pml4, Pdpt | User);
        WriteEntry(guest, Pdpt, Pd | User);
        WriteEntry(guest, Pd, User | 1 << 7);

        kvm_sregs sregs = guest.Vcpu.GetSregs();
        sregs.cr0 = 0x8000_0011;
        sregs.cr3 = Pml4;
        sregs.cr4 = 0x20;
        sregs.efer = 0x500;
        sregs.cs = new kvm_segment { limit = uint.MaxValue, selector = (ushort)(8 | cpl), type = 11, present = 1, dpl = (byte)cpl, s = 1, l = 1, g = 1 };
        kvm_segment data = new() { limit = uint.MaxValue, selector = (ushort)(16 | cpl), type = 3, present = 1, dpl = (byte)cpl, s = 1, db = 1, g = 1 };
        sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
        if (nullStack)
        {
            sregs.ss = new kvm_segment { dpl = (byte)cpl, unusable = 1 };
        }

        sregs.idt = new kvm_dtable();
        return sregs;
    }

    private static void WriteEntry(Guest guest, ulong address, ulong value)
    {
        Span<byte> entry = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(entry, value);
        guest.Write(address, entry);
    }
}

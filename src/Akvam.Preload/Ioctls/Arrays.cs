using System.Runtime.InteropServices;
using Akvam.Abi;

namespace Akvam.Preload;

/// <summary>Requests whose argument is a count and that many elements, with the kernel's answers to too many and too few.</summary>
/// <remarks>Valid because only sizes of types are taken.</remarks>
internal static unsafe class Arrays
{
    /// <summary>MAX_IO_MSRS.</summary>
    private const int MaxMsrs = 256;

    /// <summary>Reads MSRs in order; the result is how many.</summary>
    public delegate int MsrReader(Span<kvm_msr_entry> entries);

    /// <summary>Writes MSRs in order; the result is how many.</summary>
    public delegate int MsrWriter(ReadOnlySpan<kvm_msr_entry> entries);

    /// <summary>E2BIG as long as there is too little room, which is how clients find out how much they need.</summary>
    public static long GetCpuid(ClientMemory client, ulong address, kvm_cpuid_entry2[] entries)
    {
        kvm_cpuid2 head = client.Read<kvm_cpuid2>(address);
        if (head.nent < entries.Length)
        {
            return -(long)Errno.E2BIG;
        }

        client.Write(address + (ulong)sizeof(kvm_cpuid2), entries.AsSpan());
        head.nent = (uint)entries.Length;
        client.Write(address, in head);
        return 0;
    }

    public static kvm_cpuid_entry2[] ReadCpuid(ClientMemory client, ulong address)
    {
        kvm_cpuid2 head = client.Read<kvm_cpuid2>(address);
        if (head.nent > Vcpu.MaxCpuidEntries)
        {
            throw new KvmException(Errno.E2BIG, $"{head.nent} CPUID entries");
        }

        var entries = new kvm_cpuid_entry2[head.nent];
        client.Read(address + (ulong)sizeof(kvm_cpuid2), entries.AsSpan());
        return entries;
    }

    /// <summary>The count comes back even if there is too little room.</summary>
    public static long GetMsrList(ClientMemory client, ulong address, uint[] indices)
    {
        uint room = client.Read<kvm_msr_list>(address).nmsrs;
        var head = new kvm_msr_list { nmsrs = (uint)indices.Length };
        client.Write(address, in head);
        if (room < indices.Length)
        {
            return -(long)Errno.E2BIG;
        }

        client.Write(address + (ulong)sizeof(kvm_msr_list), indices.AsSpan());
        return 0;
    }

    /// <returns>How many were read.</returns>
    public static long GetMsrs(ClientMemory client, ulong address, MsrReader read)
    {
        kvm_msr_entry[] entries = ReadMsrs(client, address);
        int count = read(entries);
        client.Write(address + (ulong)sizeof(kvm_msrs), entries.AsSpan());
        return count;
    }

    /// <returns>How many were written.</returns>
    public static long SetMsrs(ClientMemory client, ulong address, MsrWriter write) => write(ReadMsrs(client, address));

    public static void SetGsiRouting(VmFile file, ulong address)
    {
        kvm_irq_routing head = file.Client.Read<kvm_irq_routing>(address);
        if (head.nr > (uint)file.Vm.CheckExtension(KvmCap.KVM_CAP_IRQ_ROUTING) || head.flags != 0)
        {
            throw new KvmException(Errno.EINVAL, $"{head.nr} routes");
        }

        var entries = new kvm_irq_routing_entry[head.nr];
        file.Client.Read(address + (ulong)sizeof(kvm_irq_routing), entries.AsSpan());
        file.Vm.SetGsiRouting(entries);
    }

    /// <summary>[KVM 4.8] The bitmap is the client's.</summary>
    public static void GetDirtyLog(VmFile file, in kvm_dirty_log log)
    {
        var bitmap = new ulong[file.DirtyWords(log.slot)];
        file.Vm.GetDirtyLog(log.slot, bitmap);
        file.Client.Write(log.dirty_bitmap, bitmap.AsSpan());
    }

    /// <summary>[KVM 4.117] The bitmap is the client's.</summary>
    public static void ClearDirtyLog(VmFile file, in kvm_clear_dirty_log log)
    {
        // Not more than the slot has, however large the count is; the VM checks that.
        var bitmap = new ulong[Math.Min((log.num_pages + 63ul) / 64, (ulong)file.DirtyWords(log.slot))];
        file.Client.Read(log.dirty_bitmap, bitmap.AsSpan());
        file.Vm.ClearDirtyLog(log.slot, log.first_page, log.num_pages, bitmap);
    }

    /// <summary>[KVM 4.97] The bitmaps are the client's.</summary>
    public static void SetMsrFilter(VmFile file, in kvm_msr_filter filter)
    {
        var ranges = new MsrFilterRange[KvmState.KVM_MSR_FILTER_MAX_RANGES];
        for (int i = 0; i < ranges.Length; i++)
        {
            kvm_msr_filter_range range = filter.ranges[i];
            ulong size = (range.nmsrs + 63ul) / 64 * 8;

            // One that is too large is refused by the VM, without a look at it.
            var bitmap = new byte[size > KvmState.KVM_MSR_FILTER_MAX_BITMAP_SIZE ? 0 : size];
            file.Client.Read(range.bitmap, bitmap.AsSpan());
            ranges[i] = new MsrFilterRange(range.flags, range.@base, range.nmsrs, bitmap);
        }

        file.Vm.SetMsrFilter(filter.flags, ranges);
    }

    /// <summary>[KVM 4.114] Without room the client is told how much it takes.</summary>
    public static void GetNestedState(VcpuFile file, ulong address)
    {
        ulong sizeAddress = address + (ulong)Marshal.OffsetOf<kvm_nested_state>(nameof(kvm_nested_state.size));
        uint room = file.Client.Read<uint>(sizeAddress);
        byte[] state = file.Vcpu.GetNestedState();
        if (room < state.Length)
        {
            file.Client.Write(sizeAddress, (uint)state.Length);
            throw new KvmException(Errno.E2BIG, $"nested state of {state.Length} bytes");
        }

        file.Client.Write(address, state.AsSpan());
    }

    /// <summary>[KVM 4.115]</summary>
    public static void SetNestedState(VcpuFile file, ulong address)
    {
        kvm_nested_state header = file.Client.Read<kvm_nested_state>(address);
        if (header.size < sizeof(kvm_nested_state))
        {
            throw new KvmException(Errno.EINVAL, $"nested state of {header.size} bytes");
        }

        var state = new byte[Math.Min(header.size, Vcpu.NestedStateSize)];
        file.Client.Read(address, state.AsSpan());
        file.Vcpu.SetNestedState(state);
    }

    private static kvm_msr_entry[] ReadMsrs(ClientMemory client, ulong address)
    {
        uint count = client.Read<kvm_msrs>(address).nmsrs;
        if (count >= MaxMsrs)
        {
            throw new KvmException(Errno.E2BIG, $"{count} MSRs");
        }

        var entries = new kvm_msr_entry[count];
        client.Read(address + (ulong)sizeof(kvm_msrs), entries.AsSpan());
        return entries;
    }
}

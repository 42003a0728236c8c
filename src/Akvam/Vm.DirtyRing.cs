using Akvam.Abi;

namespace Akvam;

/// <content>Dirty pages in a ring for each vCPU instead of a bitmap for each slot. [KVM 8.29]</content>
public sealed unsafe partial class Vm
{
    private uint _dirtyRingEntries;

    /// <summary>Bytes of a vCPU's mapping: <see cref="Kvm.VcpuMmapSize"/>, or more with a dirty ring, which begins at page KVM_DIRTY_LOG_PAGE_OFFSET.</summary>
    public int VcpuMappingSize => _dirtyRingEntries == 0 ? Kvm.VcpuMmapSize : Akvam.RunPage.DirtyRingOffset + (int)(_dirtyRingEntries * (uint)sizeof(kvm_dirty_gfn));

    /// <summary>KVM_RESET_DIRTY_RINGS: takes back the entries that the client has marked as read, and watches their pages again.</summary>
    /// <returns>How many they were.</returns>
    /// <exception cref="KvmException">EINVAL: there are no rings.</exception>
    public int ResetDirtyRings()
    {
        lock (_gate)
        {
            ThrowIfDisposed();
            if (_dirtyRingEntries == 0)
            {
                throw new KvmException(Errno.EINVAL, "KVM_CAP_DIRTY_LOG_RING is not enabled");
            }

            var pages = new List<(int Space, int Id, ulong Page)>();
            foreach (Vcpu vcpu in _vcpus)
            {
                vcpu.DirtyRing?.Reset(pages);
            }

            if (pages.Count != 0)
            {
                Memory.ClearDirty(pages);
                CountFlushes();
            }

            return pages.Count;
        }
    }

    private void EnableDirtyRing(ulong bytes)
    {
        if (bytes == 0 || (bytes & (bytes - 1)) != 0 || bytes < DirtyRing.Reserved * (ulong)sizeof(kvm_dirty_gfn) || bytes < 4096)
        {
            throw new KvmException(Errno.EINVAL, $"a dirty ring of {bytes} bytes");
        }

        if (bytes > DirtyRing.MaxEntries * (ulong)sizeof(kvm_dirty_gfn))
        {
            throw new KvmException(Errno.E2BIG, $"a dirty ring of {bytes} bytes");
        }

        if (_dirtyRingEntries != 0 || _vcpus.Length != 0)
        {
            throw new KvmException(Errno.EINVAL, "the dirty ring comes once, and before the vCPUs");
        }

        _dirtyRingEntries = (uint)(bytes / (ulong)sizeof(kvm_dirty_gfn));
        _regions.HasRings = true;
        Memory.DirtySink = new DirtyRings(this);
    }
}

using Akvam.Abi;
using Akvam.Native;

namespace Akvam;

/// <summary>Writes of the guest that signal an eventfd instead of being an exit. [KVM 4.59]</summary>
/// <remarks>Any thread may call. Lists are replaced, never changed: a write takes no lock.</remarks>
internal sealed class IoEvents : IDisposable
{
    /// <summary>NR_IOBUS_DEVS.</summary>
    private const int MostOnABus = 1000;

    private const uint KnownFlags = KvmIrq.KVM_IOEVENTFD_FLAG_DATAMATCH | KvmIrq.KVM_IOEVENTFD_FLAG_PIO | KvmIrq.KVM_IOEVENTFD_FLAG_DEASSIGN;

    private readonly Lock _gate = new();
    private IoEvent[] _ports = [];
    private IoEvent[] _addresses = [];

    public bool HasPorts => Volatile.Read(ref _ports).Length != 0;

    /// <summary>True: an eventfd was signalled, and the write is done.</summary>
    public bool WritePort(ulong port, ReadOnlySpan<byte> data) => Write(Volatile.Read(ref _ports), port, data);

    /// <summary>As <see cref="WritePort"/>, for a guest-physical address.</summary>
    public bool WriteMmio(ulong address, ReadOnlySpan<byte> data) => Write(Volatile.Read(ref _addresses), address, data);

    /// <exception cref="KvmException">As <see cref="Vm.IoEventFd"/>.</exception>
    public void Set(in kvm_ioeventfd request)
    {
        Check(in request);
        bool matches = (request.flags & KvmIrq.KVM_IOEVENTFD_FLAG_DATAMATCH) != 0;
        var wanted = new IoEvent(request.addr, request.len, matches ? request.datamatch : null, EventFd.Share(request.fd));
        bool kept = false;
        try
        {
            lock (_gate)
            {
                ref IoEvent[] list = ref (request.flags & KvmIrq.KVM_IOEVENTFD_FLAG_PIO) != 0 ? ref _ports : ref _addresses;
                if ((request.flags & KvmIrq.KVM_IOEVENTFD_FLAG_DEASSIGN) != 0)
                {
                    Remove(ref list, wanted);
                }
                else
                {
                    Add(ref list, wanted);
                    kept = true;
                }
            }
        }
        finally
        {
            if (!kept)
            {
                wanted.File.Dispose();
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (IoEvent e in (IoEvent[])[.. _ports, .. _addresses])
            {
                e.File.Dispose();
            }

            Volatile.Write(ref _ports, []);
            Volatile.Write(ref _addresses, []);
        }
    }

    private static bool Write(IoEvent[] list, ulong address, ReadOnlySpan<byte> data)
    {
        foreach (IoEvent e in list)
        {
            if (e.Takes(address, data))
            {
                e.File.Signal();
                return true;
            }
        }

        return false;
    }

    private static void Check(in kvm_ioeventfd request)
    {
        bool deassign = (request.flags & KvmIrq.KVM_IOEVENTFD_FLAG_DEASSIGN) != 0;
        if (!deassign && ((request.flags & ~KnownFlags) != 0 || request.len is not (0 or 1 or 2 or 4 or 8) || request.addr + request.len < request.addr
            || (request.len == 0 && (request.flags & KvmIrq.KVM_IOEVENTFD_FLAG_DATAMATCH) != 0)))
        {
            throw new KvmException(Errno.EINVAL, $"flags {request.flags:x}, {request.len} bytes at {request.addr:x} of kvm_ioeventfd");
        }
    }

    private static void Add(ref IoEvent[] list, IoEvent wanted)
    {
        if (Array.Exists(list, e => e.CollidesWith(wanted)))
        {
            throw new KvmException(Errno.EEXIST, $"something takes writes to {wanted.Address:x} already");
        }

        if (list.Length == MostOnABus)
        {
            throw new KvmException(Errno.ENOSPC, $"{MostOnABus} eventfds");
        }

        Volatile.Write(ref list, [.. list, wanted]);
    }

    private static void Remove(ref IoEvent[] list, IoEvent wanted)
    {
        IoEvent found = Array.Find(list, e => e.File.Id == wanted.File.Id && e.Address == wanted.Address && e.Length == wanted.Length && e.DataMatch == wanted.DataMatch)
            ?? throw new KvmException(Errno.ENOENT, $"no such eventfd at {wanted.Address:x}");
        Volatile.Write(ref list, Array.FindAll(list, e => e != found));
        found.File.Dispose();
    }
}

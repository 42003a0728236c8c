using Akvam.Abi;
using Akvam.Devices;
using Akvam.Native;

namespace Akvam;

/// <summary>The irqfds of a VM, and the thread that waits for them. [KVM 4.75]</summary>
/// <remarks>Any thread may call. Valid because the thread holds a reference to every file it waits for.</remarks>
internal sealed unsafe class IrqFds : IDisposable
{
    private readonly Lock _gate = new();
    private readonly IrqRouter _router;
    private readonly EventFd _wake = EventFd.Create();
    private readonly Dictionary<uint, IrqResampler> _resamplers = [];
    private readonly Thread _thread;
    private IrqFd[] _all = [];
    private bool _stopping;

    public IrqFds(IrqRouter router)
    {
        _router = router;
        _thread = new Thread(Serve) { IsBackground = true, Name = "akvam irqfd" };
        _thread.Start();
    }

    /// <exception cref="KvmException">As <see cref="Vm.IrqFd"/>.</exception>
    public void Assign(in kvm_irqfd request)
    {
        EventFd file = EventFd.Share((int)request.fd);
        EventFd? resampleFile = null;
        bool kept = false;
        try
        {
            bool resamples = (request.flags & KvmIrq.KVM_IRQFD_FLAG_RESAMPLE) != 0;
            resampleFile = resamples ? EventFd.Share((int)request.resamplefd) : null;
            lock (_gate)
            {
                if (Array.Exists(_all, i => i.File.Id == file.Id))
                {
                    throw new KvmException(Errno.EBUSY, $"file {request.fd} raises an interrupt already");
                }

                IrqResampler? resampler = resamples ? ResamplerOf(request.gsi) : null;
                var added = new IrqFd(_router, file, request.gsi, resampler, resampleFile);
                resampler?.Add(added);
                _all = [.. _all, added];
                kept = true;
            }
        }
        finally
        {
            if (!kept)
            {
                file.Dispose();
                resampleFile?.Dispose();
            }
        }

        _wake.Signal();
    }

    /// <summary>It is no error if there is none.</summary>
    /// <exception cref="KvmException">EBADF, EINVAL: not an eventfd.</exception>
    public void Deassign(in kvm_irqfd request)
    {
        using EventFd file = EventFd.Share((int)request.fd);
        uint gsi = request.gsi;
        lock (_gate)
        {
            IrqFd[] gone = Array.FindAll(_all, i => i.File.Id == file.Id && i.Gsi == gsi);
            _all = Array.FindAll(_all, i => !gone.Contains(i));
            foreach (IrqFd irqFd in gone)
            {
                Remove(irqFd);
            }
        }

        _wake.Signal();
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
        }

        _wake.Signal();
        _thread.Join();
        foreach (IrqFd irqFd in _all)
        {
            Remove(irqFd);
        }

        _all = [];
        _wake.Dispose();
    }

    private IrqResampler ResamplerOf(uint gsi)
    {
        if (!_resamplers.TryGetValue(gsi, out IrqResampler? resampler))
        {
            _resamplers.Add(gsi, resampler = new IrqResampler(_router, gsi));
        }

        return resampler;
    }

    private void Remove(IrqFd irqFd)
    {
        if (irqFd.Resampler is { } resampler)
        {
            resampler.Remove(irqFd);
            if (resampler.IsEmpty)
            {
                _resamplers.Remove(irqFd.Gsi);
                resampler.Dispose();
            }
        }

        irqFd.Dispose();
    }

    private void Serve()
    {
        IrqFd[]? known = null;
        IrqFd[] held = [];
        Libc.PollFd[] files = [];
        while (true)
        {
            IrqFd[] all;
            bool stopping;
            lock (_gate)
            {
                all = _all;
                stopping = _stopping;
            }

            if (stopping)
            {
                Release(held);
                return;
            }

            if (all != known)
            {
                known = all;
                Release(held);
                held = Array.FindAll(all, i => i.File.TryHold());
                files = new Libc.PollFd[held.Length + 1];
                files[0] = new Libc.PollFd { File = _wake.Number, Events = Libc.POLLIN };
                for (int i = 0; i < held.Length; i++)
                {
                    files[i + 1] = new Libc.PollFd { File = held[i].File.Number, Events = Libc.POLLIN };
                }
            }

            Wait(files, held);
        }
    }

    private void Wait(Libc.PollFd[] files, IrqFd[] held)
    {
        int ready;
        fixed (Libc.PollFd* first = files)
        {
            ready = Libc.ppoll(first, (ulong)files.Length, null, null);
        }

        for (int i = 0; ready > 0 && i < files.Length; i++)
        {
            if ((files[i].Returned & Libc.POLLIN) == 0)
            {
                continue;
            }

            if (i == 0)
            {
                _wake.Take();
            }
            else
            {
                held[i - 1].Raise();
            }
        }
    }

    private static void Release(IrqFd[] held)
    {
        foreach (IrqFd irqFd in held)
        {
            irqFd.File.DangerousRelease();
        }
    }
}

using Akvam.Cpu.State;

namespace Akvam;

/// <content>What other threads ask for: noted here, and moved into the processor's state by the thread that runs it.</content>
public sealed unsafe partial class Vcpu
{
    /// <summary>An NMI can wait for the handler of the one before, and one more for that.</summary>
    private const int MostPendingNmis = 2;

    private int _asked;
    private int _sipiVector;
    private int _userExtInt = -1;

    [Flags]
    private enum Asked
    {
        Nmi = 1,
        SecondNmi = 2,
        Smi = 4,
        Init = 8,
        Sipi = 16,
        Clock = 32,
    }

    /// <summary>With a split irqchip: an interrupt of the client's own PIC waits.</summary>
    internal bool HasUserExtInt => Volatile.Read(ref _userExtInt) >= 0;

    /// <summary>Offset of the guest's TSC (L1's, if it runs a guest of its own); 0 once the vCPU is gone. From any thread.</summary>
    internal ulong TscOffset
    {
        get
        {
            lock (_postGate)
            {
                return _processor.State == null ? 0 : Volatile.Read(ref _processor.State->TscOffset) - _processor.Nested.TscOffset;
            }
        }
    }

    internal bool TakeUserExtInt(out byte vector)
    {
        int taken = Interlocked.Exchange(ref _userExtInt, -1);
        vector = (byte)taken;
        return taken >= 0;
    }

    internal void PostNmi()
    {
        if ((Interlocked.Or(ref _asked, (int)Asked.Nmi) & (int)Asked.Nmi) != 0)
        {
            Interlocked.Or(ref _asked, (int)Asked.SecondNmi);
        }

        Post(Request.Kick);
    }

    internal void PostSmi() => Ask(Asked.Smi);

    /// <summary>INIT forgets a STARTUP that came before it.</summary>
    internal void PostInit()
    {
        Interlocked.And(ref _asked, ~(int)Asked.Sipi);
        Ask(Asked.Init);
    }

    internal void PostSipi(byte vector)
    {
        Volatile.Write(ref _sipiVector, vector);
        Ask(Asked.Sipi);
    }

    internal void PostClockUpdate() => Ask(Asked.Clock);

    private void Ask(Asked what)
    {
        Interlocked.Or(ref _asked, (int)what);
        Post(Request.Kick);
    }

    /// <summary>Moves what was asked for into the state. [KVM 4.31] shows it there.</summary>
    private void Absorb(CpuState* s)
    {
        if (Volatile.Read(ref _asked) == 0)
        {
            return;
        }

        var asked = (Asked)Interlocked.Exchange(ref _asked, 0);
        int nmis = ((asked & Asked.Nmi) != 0 ? 1 : 0) + ((asked & Asked.SecondNmi) != 0 ? 1 : 0);

        // While one is served there is room for one behind it. [SDM3 6.7.1]
        s->NmiPending = (byte)Math.Min(s->NmiPending + nmis, s->NmiMasked != 0 ? 1 : MostPendingNmis);
        s->SmiPending |= (asked & Asked.Smi) != 0 ? (byte)1 : (byte)0;
        if ((asked & Asked.Init) != 0)
        {
            s->InitPending = 1;
            s->SipiPending = 0;
        }

        if ((asked & Asked.Sipi) != 0)
        {
            s->SipiPending = 1;
            s->SipiVector = (byte)Volatile.Read(ref _sipiVector);
        }

        if ((asked & Asked.Clock) != 0)
        {
            _bus.UpdateClock();
        }
    }
}

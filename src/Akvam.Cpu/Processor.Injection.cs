using Akvam.Cpu.Events;
using Akvam.Cpu.State;

namespace Akvam.Cpu;

/// <remarks>Valid as long as the processor is not disposed; only while no thread runs it.</remarks>
public sealed unsafe partial class Processor
{
    private FaultRecord _injectedException;
    private bool _hasInjectedException;
    private int _injectedInterrupt = -1;

    /// <summary>An exception that is delivered before the next instruction; null: none. Set by user space: injection, or the middle of a delivery that was saved.</summary>
    public FaultRecord? InjectedException
    {
        get => _hasInjectedException ? _injectedException : null;
        set
        {
            _hasInjectedException = value.HasValue;
            _injectedException = value.GetValueOrDefault();
            Post(State, Request.Evaluate);
        }
    }

    /// <summary><see cref="InjectedException"/> was raised and nothing more: a hypervisor in the guest may intercept it yet.</summary>
    public bool IsExceptionPending { get; set; }

    /// <summary>An external interrupt that is delivered before the next instruction, whatever IF says; -1: none.</summary>
    public int InjectedInterrupt
    {
        get => _injectedInterrupt;
        set
        {
            _injectedInterrupt = value;
            Post(State, Request.Evaluate);
        }
    }

    /// <summary>A debugger holds SMIs and NMIs back. Interrupts are the bus's affair.</summary>
    public bool BlocksEvents { get; set; }

    /// <summary>Delivers what user space injected, an exception before NMI and interrupt. One of them: the others wait for the next turn.</summary>
    private void DeliverInjected(CpuState* s)
    {
        if (s->Delivering.Kind != EventKind.None || s->Activity is not (Activity.Runnable or Activity.Halted))
        {
            return;
        }

        if (_hasInjectedException)
        {
            _hasInjectedException = false;
            s->Fault = _injectedException;
            if (IsExceptionPending)
            {
                Delivery.Fault(s);
            }
            else
            {
                Delivery.Injected(s);
            }
        }
        else if (s->NmiInjected != 0)
        {
            s->NmiInjected = 0;
            Delivery.Nmi(s);
        }
        else if (_injectedInterrupt >= 0)
        {
            byte vector = (byte)_injectedInterrupt;
            _injectedInterrupt = -1;
            Delivery.External(s, vector);
        }
        else
        {
            return;
        }

        s->Activity = Activity.Runnable;
        s->Epoch++;
    }
}

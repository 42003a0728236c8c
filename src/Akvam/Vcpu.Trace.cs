using Akvam.Cpu;
using Akvam.Cpu.Diagnostics;

namespace Akvam;

/// <content>Tracing.</content>
public sealed unsafe partial class Vcpu
{
    /// <summary>
    /// Hears of the processor's events, on the thread that runs it: the name as the kernel's tracepoints have it (kvm_inj_virq, kvm_enter_smm…), then its fields.
    /// Null, as at first: nothing is traced, and that costs nothing.
    /// </summary>
    public Action<string, string>? Trace
    {
        get => (_processor.Trace as TraceAdapter)?.Target;
        set => _processor.Trace = value is null ? null : new TraceAdapter(value);
    }

    private sealed class TraceAdapter(Action<string, string> target) : ITraceSink
    {
        public Action<string, string> Target => target;

        public void Write(Processor processor, string name, string text) => target(name, text);
    }
}

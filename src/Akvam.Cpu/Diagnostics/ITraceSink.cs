namespace Akvam.Cpu.Diagnostics;

/// <summary>Receives one line per event; names are those of the kernel's kvm tracepoints where they exist (kvm_entry, kvm_enter_smm, kvm_inj_virq…).</summary>
/// <remarks>Callers test for null first and build the text only then: tracing costs nothing when off.</remarks>
public interface ITraceSink
{
    void Write(Processor processor, string name, string text);
}

namespace Akvam;

/// <summary>One event inside a vCPU.</summary>
/// <param name="vcpu">Whose.</param>
/// <param name="name">That of the kernel's tracepoint where there is one: kvm_inj_virq, kvm_enter_smm, kvm_inj_exception…</param>
/// <param name="text">The rest of the line.</param>
public delegate void VcpuTrace(Vcpu vcpu, string name, string text);

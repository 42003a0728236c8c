namespace Akvam.Tests.Abi;

/// <summary>One number that both sides must agree on.</summary>
/// <param name="Key">What it is, without spaces: <c>sizeof:kvm_regs</c>, <c>offset:kvm_run.io.port</c>, <c>value:KVM_EXIT_IO</c>.</param>
/// <param name="CExpression">How C computes it from the kernel's headers.</param>
/// <param name="Guard">A macro without which the header does not know it, or null.</param>
/// <param name="Value">What Akvam.Abi has.</param>
internal sealed record AbiFact(string Key, string CExpression, string? Guard, ulong Value);
